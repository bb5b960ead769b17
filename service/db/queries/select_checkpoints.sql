-- $1: partitions.
SELECT partition, entry_ms, entry_seq, appended, erased, snapshot_ms, snapshot_seq, epoch, holder
FROM checkpoints
WHERE partition = ANY ($1::smallint[])
