-- $1: attempts. How often each skipped within each lesson.
SELECT attempt, lesson, count(*) AS skips
FROM seeks
WHERE attempt = ANY ($1::bigint[]) AND is_skip
GROUP BY attempt, lesson
