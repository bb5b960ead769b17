-- $1: user, $2: digest of the slug. What was played of the pair in each scope, in their order.
SELECT
    user_id, slug, scope, watch_ms, effective_ms, unique_cells, implausible_ms, events,
    furthest_ms, latest_ms, latest_at, coverage, version_ms, version_seq
FROM scopes
WHERE user_id = $1 AND name_digest = $2
ORDER BY scope
