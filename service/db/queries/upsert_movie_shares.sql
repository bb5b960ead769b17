-- Writes snapshots of movie shares, each only over an older one. $1: of the type movie_share_snapshot, in its order.
INSERT INTO movie_shares AS stored (
    slug, partition, watch_ms, effective_ms, unique_cells, viewers, events, version_ms, version_seq
)
SELECT * FROM unnest($1::movie_share_snapshot[])
ON CONFLICT (slug, partition) DO UPDATE SET
    watch_ms = excluded.watch_ms,
    effective_ms = excluded.effective_ms,
    unique_cells = excluded.unique_cells,
    viewers = excluded.viewers,
    events = excluded.events,
    version_ms = excluded.version_ms,
    version_seq = excluded.version_seq,
    updated_at = now()
WHERE (stored.version_ms, stored.version_seq) < (excluded.version_ms, excluded.version_seq)
