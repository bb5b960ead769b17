-- $1: user, $2: the number below which they are, $3: how many. The last one first.
SELECT c.*, t.course
FROM credits AS c
JOIN attempts AS t ON t.attempt = c.attempt
WHERE c.user_id = $1 AND c.credit < $2
ORDER BY c.credit DESC
LIMIT $3
