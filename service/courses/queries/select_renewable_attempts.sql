-- $1: course, $2: the moment before which they were completed, $3: how many. The earliest first.
SELECT attempt, course, user_id, number, completed_at
FROM attempts
WHERE course = $1 AND closed_at IS NULL AND completed_at < $2
ORDER BY completed_at
LIMIT $3
