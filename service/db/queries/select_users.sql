-- $1: users.
SELECT user_id, watch_ms, effective_ms, unique_cells, events, movies, version_ms, version_seq
FROM users
WHERE user_id = ANY ($1::text[])
