-- $1: users.
SELECT
    user_id, slug, watch_ms, effective_ms, unique_cells, implausible_ms, events,
    furthest_ms, latest_ms, latest_at, coverage, scope, version_ms, version_seq
FROM pairs
WHERE user_id = ANY ($1::text[])
