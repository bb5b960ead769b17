-- $1: partition, $2 and $3: entry of the erasure.
SELECT events, pairs, sessions FROM erasures WHERE partition = $1::smallint AND entry_ms = $2 AND entry_seq = $3
