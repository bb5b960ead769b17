-- $1: partition. With the movies that have raw events but no snapshot yet, whose version is NULL.
SELECT slug, watch_ms, effective_ms, unique_cells, viewers, events, version_ms, version_seq
FROM movie_shares
WHERE partition = $1::smallint
UNION ALL
SELECT DISTINCT slug, 0, 0, 0, 0, 0, NULL::bigint, NULL::bigint
FROM events
WHERE partition = $1::smallint
    AND (entry_ms, entry_seq) > (
        (SELECT snapshot_ms FROM checkpoints WHERE checkpoints.partition = $1::smallint),
        (SELECT snapshot_seq FROM checkpoints WHERE checkpoints.partition = $1::smallint)
    )
    AND NOT EXISTS (
        SELECT FROM movie_shares
        WHERE movie_shares.slug = events.slug AND movie_shares.partition = $1::smallint
    )
