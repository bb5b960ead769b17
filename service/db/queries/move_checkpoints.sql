-- $1: partitions, $2 and $3: the stream ids up to which their rows are committed, $4: how many events more, $5: how many
-- of those are erasures.
UPDATE checkpoints
SET entry_ms = moved.ms, entry_seq = moved.seq, appended = appended + moved.events,
    erased = erased + moved.erasures, updated_at = now()
FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
    AS moved (partition, ms, seq, events, erasures)
WHERE checkpoints.partition = moved.partition
