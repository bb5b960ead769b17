-- Writes snapshots of what was played of pairs in their scopes, each only over an older one.
-- $1: of the type scope_snapshot, in its order.
INSERT INTO scopes AS stored (
    user_id, slug, name_digest, scope, partition, watch_ms, effective_ms, unique_cells, implausible_ms,
    events, furthest_ms, latest_ms, latest_at, coverage, version_ms, version_seq
)
SELECT * FROM unnest($1::scope_snapshot[])
ON CONFLICT (user_id, name_digest, scope) DO UPDATE SET
    watch_ms = excluded.watch_ms,
    effective_ms = excluded.effective_ms,
    unique_cells = excluded.unique_cells,
    implausible_ms = excluded.implausible_ms,
    events = excluded.events,
    furthest_ms = excluded.furthest_ms,
    latest_ms = excluded.latest_ms,
    latest_at = excluded.latest_at,
    coverage = excluded.coverage,
    version_ms = excluded.version_ms,
    version_seq = excluded.version_seq,
    updated_at = now()
WHERE (stored.version_ms, stored.version_seq) < (excluded.version_ms, excluded.version_seq)
