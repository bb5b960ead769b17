-- $1: users. What was played of their pairs in each scope.
SELECT
    user_id, slug, scope, watch_ms, effective_ms, unique_cells, implausible_ms, events,
    furthest_ms, latest_ms, latest_at, coverage, version_ms, version_seq
FROM scopes
WHERE user_id = ANY ($1::text[])
