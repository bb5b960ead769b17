-- $1: attempts. How long they watched each lesson together, whichever its video, and how many of them have begun it.
SELECT
    lesson, count(DISTINCT attempt) AS begun, sum(watch_ms)::bigint AS watch_ms,
    sum(effective_ms)::bigint AS effective_ms
FROM attempt_lessons
WHERE attempt = ANY ($1::bigint[])
GROUP BY lesson
