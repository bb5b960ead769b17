-- $1: attempts. How long they watched each lesson together at which speed.
SELECT lesson, speed, sum(watch_ms)::bigint AS watch_ms, sum(effective_ms)::bigint AS effective_ms
FROM attempt_speeds
WHERE attempt = ANY ($1::bigint[])
GROUP BY lesson, speed
