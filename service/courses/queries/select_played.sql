-- $1: user, $2: digest of the movie, $3: digests of the movie with each session. What was watched in these sessions.
SELECT session, first_at, last_at, watch_ms, effective_ms, seen, flagged
FROM viewings
WHERE user_id = $1 AND slug_digest = $2 AND name_digest = ANY ($3::bytea[])
