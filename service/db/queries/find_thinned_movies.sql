-- $1: partition. All movies that it has a share of, if anybody was erased after its snapshot checkpoint: whose they were nobody knows.
SELECT slug
FROM movie_shares
WHERE partition = $1::smallint
    AND EXISTS (
        SELECT
        FROM erasures
        JOIN checkpoints USING (partition)
        WHERE partition = $1::smallint AND (erasures.entry_ms, erasures.entry_seq) > (snapshot_ms, snapshot_seq)
    )
