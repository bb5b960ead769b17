-- $1: a flusher's name, $2: partitions, $3: those it holds already, $4: how many more it may take.
-- Free are those of nobody, of a flusher that is gone, and of one of its own name that it knows nothing of: an earlier
-- run's. What is locked is just being committed, or taken by somebody else.
WITH free AS MATERIALIZED (
    SELECT partition
    FROM checkpoints
    WHERE partition = ANY ($2::smallint[])
        AND partition <> ALL ($3::smallint[])
        AND (
            holder IS NULL
            OR holder = $1
            OR NOT EXISTS (SELECT FROM flushers WHERE name = holder AND alive_until >= clock_timestamp())
        )
    ORDER BY partition
    LIMIT $4
    FOR UPDATE SKIP LOCKED
)
UPDATE checkpoints
SET holder = $1, epoch = epoch + 1, updated_at = now()
FROM free
WHERE checkpoints.partition = free.partition
RETURNING checkpoints.partition, epoch
