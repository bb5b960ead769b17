-- $1: partitions.
SELECT partition, entry_ms, entry_seq, appended, snapshot_ms, snapshot_seq FROM checkpoints WHERE partition = ANY ($1::smallint[])
