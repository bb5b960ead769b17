-- $1: credit.
SELECT c.*, t.course
FROM credits AS c
JOIN attempts AS t ON t.attempt = c.attempt
WHERE c.credit = $1
