-- $1: user.
SELECT watch_ms, effective_ms, unique_cells, events, movies FROM users WHERE user_id = $1
