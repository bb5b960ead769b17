-- $1: session. Its seeks past the limit, in the order in which they came.
SELECT seek, from_ms, to_ms, limit_ms, decision, has_happened, is_skip, reason, at
FROM seeks
WHERE session = $1
ORDER BY at, seek
