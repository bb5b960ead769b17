-- $1: attempts. How often they skipped within each lesson together.
SELECT lesson, count(*) AS skips
FROM seeks
WHERE attempt = ANY ($1::bigint[]) AND is_skip
GROUP BY lesson
