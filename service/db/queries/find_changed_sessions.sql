-- $1: partition. The sessions with rows after its snapshot checkpoint: a range of each day's primary key.
SELECT DISTINCT user_id, slug, session
FROM events
WHERE partition = $1::smallint
    AND (entry_ms, entry_seq) > (
        (SELECT snapshot_ms FROM checkpoints WHERE checkpoints.partition = $1::smallint),
        (SELECT snapshot_seq FROM checkpoints WHERE checkpoints.partition = $1::smallint)
    )
