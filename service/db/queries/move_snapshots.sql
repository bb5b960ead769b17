-- $1: partitions, $2 and $3: the stream ids up to which all their snapshots are true. Never moves back.
UPDATE checkpoints
SET snapshot_ms = moved.ms, snapshot_seq = moved.seq, updated_at = now()
FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS moved (partition, ms, seq)
WHERE checkpoints.partition = moved.partition
    AND (checkpoints.snapshot_ms, checkpoints.snapshot_seq) < (moved.ms, moved.seq)
