-- $1: partition. Up to which entry its rows are committed.
SELECT entry_ms, entry_seq FROM checkpoints WHERE partition = $1::smallint
