-- $1: partition, $2 to $4: entry and ordinal up to which it is followed now.
UPDATE followed SET entry_ms = $2, entry_seq = $3, ordinal = $4::smallint WHERE partition = $1::smallint
