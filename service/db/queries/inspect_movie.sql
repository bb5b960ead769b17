-- $1: slug. A movie is the sum of its shares.
SELECT
    slug,
    count(*) AS shares,
    sum(watch_ms) AS watch_ms,
    sum(effective_ms) AS effective_ms,
    sum(unique_cells) AS unique_cells,
    sum(viewers) AS viewers,
    sum(events) AS events,
    max(updated_at) AS updated_at
FROM movie_shares
WHERE slug = $1
GROUP BY slug
