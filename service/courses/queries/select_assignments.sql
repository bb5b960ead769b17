-- $1 and $2: course and user of the last assignment of the page before, or empty strings,
-- $3: whether those unassigned, too, $4: how many. By course and user, each with the last attempt.
-- The page is found first, so that only its attempts are looked for.
SELECT
    a.course, a.user_id, a.first_assigned_at, a.assigned_at, a.unassigned_at, a.last_completed_at,
    t.attempt, t.number, t.opened_at, t.opened_by, t.due_at, t.started_at, t.last_viewed_at, t.completed_at,
    t.closed_at
FROM (
    SELECT *
    FROM assignments
    WHERE (course, user_id) > ($1, $2) AND ($3 OR unassigned_at IS NULL)
    ORDER BY course, user_id
    LIMIT $4
) AS a
CROSS JOIN LATERAL (
    SELECT *
    FROM attempts
    WHERE attempts.course = a.course AND attempts.user_id = a.user_id
    ORDER BY number DESC
    LIMIT 1
) AS t
ORDER BY a.course, a.user_id
