-- $1: partitions. Those that have no checkpoint stand at the start.
INSERT INTO checkpoints (partition, entry_ms, entry_seq, appended, erased, snapshot_ms, snapshot_seq)
SELECT partition, 0, 0, 0, 0, 0, 0 FROM unnest($1::smallint[]) AS partition ORDER BY partition
ON CONFLICT (partition) DO NOTHING
