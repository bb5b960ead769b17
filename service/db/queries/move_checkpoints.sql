-- $1: partitions, $2 and $3: the stream ids up to which their rows are committed, $4: how many rows more.
UPDATE checkpoints
SET entry_ms = moved.ms, entry_seq = moved.seq, appended = appended + moved.events, updated_at = now()
FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS moved (partition, ms, seq, events)
WHERE checkpoints.partition = moved.partition
