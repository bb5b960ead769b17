-- Writes snapshots of movie shares, each only over an older one. An array a column, in the order of the columns.
INSERT INTO movie_shares AS stored (
    slug, partition, watch_ms, effective_ms, unique_cells, viewers, events, version_ms, version_seq
)
SELECT * FROM unnest(
    $1::text[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
    $7::bigint[], $8::bigint[], $9::bigint[]
)
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
