-- $1: attempts. How long each watched each lesson at which speed, whichever its video.
SELECT attempt, lesson, speed, sum(watch_ms)::bigint AS watch_ms, sum(effective_ms)::bigint AS effective_ms
FROM attempt_speeds
WHERE attempt = ANY ($1::bigint[])
GROUP BY attempt, lesson, speed
