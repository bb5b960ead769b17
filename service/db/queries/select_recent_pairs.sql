-- $1: user, $2 and $3: time and slug of the last pair of the page before, or NULL, $4: how many. Latest first.
SELECT
    user_id, slug, watch_ms, effective_ms, unique_cells, implausible_ms, events,
    furthest_ms, latest_ms, latest_at, coverage, scope, version_ms, version_seq
FROM pairs
WHERE user_id = $1
    AND ($2::timestamptz IS NULL OR (coalesce(latest_at, 'epoch'), slug) < ($2, $3::text COLLATE "C"))
ORDER BY coalesce(latest_at, 'epoch') DESC, slug DESC
LIMIT $4
