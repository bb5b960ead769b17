-- $1: user.
SELECT user_id, partition, watch_ms, effective_ms, unique_cells, events, movies, version_ms, version_seq, updated_at
FROM users
WHERE user_id = $1
