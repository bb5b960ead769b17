-- $1: attempts. How long each watched each lesson at which speed.
SELECT attempt, lesson, revision, speed, watch_ms, effective_ms
FROM attempt_speeds
WHERE attempt = ANY ($1::bigint[])
ORDER BY attempt, lesson, revision, speed
