-- $1: attempts. As they are, by which their ranges go; those that follow already, too.
SELECT attempt, course, user_id, turn, is_levelled, closed_at IS NULL AS is_open
FROM attempts
WHERE attempt = ANY ($1::bigint[])
ORDER BY attempt
