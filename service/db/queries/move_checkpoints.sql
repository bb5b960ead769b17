-- $1: partitions, $2 and $3: the stream ids up to which their rows are committed.
UPDATE checkpoints
SET entry_ms = moved.ms, entry_seq = moved.seq, updated_at = now()
FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS moved (partition, ms, seq)
WHERE checkpoints.partition = moved.partition
