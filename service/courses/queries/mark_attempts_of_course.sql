-- $1: course. What it has has changed, and its open attempts have to follow. Assignments are locked in their order.
WITH held AS (
    SELECT course, user_id
    FROM assignments
    WHERE course = $1 AND unassigned_at IS NULL
    ORDER BY user_id
    FOR NO KEY UPDATE
)
UPDATE attempts AS t
SET turn = t.turn + 1, is_levelled = false
FROM held
WHERE t.course = held.course AND t.user_id = held.user_id AND t.closed_at IS NULL
