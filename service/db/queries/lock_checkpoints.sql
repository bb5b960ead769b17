-- $1: partitions. Keeps every other flush of them out until the transaction ends.
SELECT partition, entry_ms, entry_seq, epoch FROM checkpoints WHERE partition = ANY ($1::smallint[])
ORDER BY partition
FOR UPDATE
