-- $1: team, $2: course, $3: the last user of the page before, or an empty string, $4: whether those unassigned, too,
-- $5: how many. By user, each with the last attempt.
-- The page is found first, so that only its attempts are looked for.
SELECT
    a.course, a.user_id, a.first_assigned_at, a.assigned_at, a.unassigned_at, a.last_completed_at,
    t.attempt, t.number, t.opened_at, t.opened_by, t.due_at, t.started_at, t.last_viewed_at, t.completed_at,
    t.closed_at
FROM (
    SELECT s.*
    FROM team_members AS m
    CROSS JOIN LATERAL (
        SELECT *
        FROM assignments
        WHERE assignments.course = $2 AND assignments.user_id = m.user_id
            AND ($4 OR assignments.unassigned_at IS NULL)
        LIMIT 1
    ) AS s
    WHERE m.team = $1 AND m.user_id > $3
    ORDER BY m.user_id
    LIMIT $5
) AS a
CROSS JOIN LATERAL (
    SELECT *
    FROM attempts
    WHERE attempts.course = a.course AND attempts.user_id = a.user_id
    ORDER BY number DESC
    LIMIT 1
) AS t
ORDER BY a.user_id
