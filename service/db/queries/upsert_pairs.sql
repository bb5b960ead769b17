-- Writes snapshots of pairs, each only over an older one. An array a column, in the order of the columns.
INSERT INTO pairs AS stored (
    user_id, slug, partition, watch_ms, effective_ms, unique_cells, implausible_ms, events,
    furthest_ms, latest_ms, latest_at, coverage, scope, name_digest, version_ms, version_seq
)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[], $9::int[], $10::int[], $11::timestamptz[], $12::bytea[], $13::int[], $14::bytea[],
    $15::bigint[], $16::bigint[]
)
ON CONFLICT (user_id, name_digest) DO UPDATE SET
    watch_ms = excluded.watch_ms,
    effective_ms = excluded.effective_ms,
    unique_cells = excluded.unique_cells,
    implausible_ms = excluded.implausible_ms,
    events = excluded.events,
    furthest_ms = excluded.furthest_ms,
    latest_ms = excluded.latest_ms,
    latest_at = excluded.latest_at,
    coverage = excluded.coverage,
    scope = excluded.scope,
    version_ms = excluded.version_ms,
    version_seq = excluded.version_seq,
    updated_at = now()
WHERE (stored.version_ms, stored.version_seq) < (excluded.version_ms, excluded.version_seq)
