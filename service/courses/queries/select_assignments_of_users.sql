-- $1: users, $2: course or NULL for all, $3: whether those unassigned, too. By user and course, each with the last attempt.
SELECT
    a.course, a.user_id, a.first_assigned_at, a.assigned_at, a.unassigned_at, a.last_completed_at,
    t.attempt, t.number, t.opened_at, t.opened_by, t.due_at, t.started_at, t.last_viewed_at, t.completed_at,
    t.closed_at
FROM assignments AS a
CROSS JOIN LATERAL (
    SELECT *
    FROM attempts
    WHERE attempts.course = a.course AND attempts.user_id = a.user_id
    ORDER BY number DESC
    LIMIT 1
) AS t
WHERE a.user_id = ANY ($1::text[]) AND ($2::text IS NULL OR a.course = $2) AND ($3 OR a.unassigned_at IS NULL)
ORDER BY a.user_id, a.course
