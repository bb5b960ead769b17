-- $1: partition, $2 and $3: stream id.
DELETE FROM parked_entries WHERE partition = $1::smallint AND entry_ms = $2 AND entry_seq = $3 RETURNING partition
