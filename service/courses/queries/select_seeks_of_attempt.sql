-- $1: attempt, $2: how many. Its seeks past the limit, in the order in which they came.
SELECT lesson, revision, session, from_ms, to_ms, limit_ms, decision, has_happened, is_skip, reason, at
FROM seeks
WHERE attempt = $1
ORDER BY at, session, seek
LIMIT $2
