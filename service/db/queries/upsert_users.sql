-- Writes snapshots of users, each only over an older one. $1: of the type user_snapshot, in its order.
INSERT INTO users AS stored (
    user_id, partition, watch_ms, effective_ms, unique_cells, events, movies, version_ms, version_seq
)
SELECT * FROM unnest($1::user_snapshot[])
ON CONFLICT (user_id) DO UPDATE SET
    watch_ms = excluded.watch_ms,
    effective_ms = excluded.effective_ms,
    unique_cells = excluded.unique_cells,
    events = excluded.events,
    movies = excluded.movies,
    version_ms = excluded.version_ms,
    version_seq = excluded.version_seq,
    updated_at = now()
WHERE (stored.version_ms, stored.version_seq) < (excluded.version_ms, excluded.version_seq)
