-- $1: now, $2: how many. Those to be looked at by now, whether they are stale; who waits longest first.
SELECT session, user_id, started_at, look_at
FROM watch_sessions
WHERE closed_at IS NULL AND look_at <= $1
ORDER BY look_at
LIMIT $2
