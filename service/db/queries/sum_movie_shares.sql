-- $1: partition, $2: users. What all others of the partition gave to each movie, by their snapshots.
SELECT
    slug,
    sum(watch_ms)::bigint AS watch_ms,
    sum(effective_ms)::bigint AS effective_ms,
    sum(unique_cells)::bigint AS unique_cells,
    count(*) AS viewers,
    sum(events)::bigint AS events
FROM pairs
WHERE partition = $1::smallint
    AND NOT EXISTS (SELECT FROM unnest($2::text[]) AS other (user_id) WHERE other.user_id = pairs.user_id)
GROUP BY slug
