-- Writes snapshots of pairs, each only over an older one. $1: of the type pair_snapshot, in its order.
INSERT INTO pairs AS stored (
    user_id, slug, name_digest, partition, watch_ms, effective_ms, unique_cells, implausible_ms, events,
    furthest_ms, latest_ms, latest_at, coverage, scope, version_ms, version_seq
)
SELECT * FROM unnest($1::pair_snapshot[])
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
