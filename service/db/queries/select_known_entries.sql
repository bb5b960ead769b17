-- $1: partition, $2 and $3: stream ids. Those of them that have rows, are parked, or told of an erasure that is done.
SELECT DISTINCT asked.ms AS entry_ms, asked.seq AS entry_seq
FROM unnest($2::bigint[], $3::bigint[]) AS asked (ms, seq)
WHERE EXISTS (
    SELECT FROM events
    WHERE partition = $1::smallint AND entry_ms = asked.ms AND entry_seq = asked.seq
) OR EXISTS (
    SELECT FROM erasures
    WHERE partition = $1::smallint AND entry_ms = asked.ms AND entry_seq = asked.seq
) OR EXISTS (
    SELECT FROM parked_entries
    WHERE partition = $1::smallint AND entry_ms = asked.ms AND entry_seq = asked.seq
)
