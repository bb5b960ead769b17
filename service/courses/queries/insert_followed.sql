-- $1: partition. It is followed from its first event on.
INSERT INTO followed (partition, entry_ms, entry_seq, ordinal) VALUES ($1::smallint, 0, 0, 0)
ON CONFLICT (partition) DO NOTHING
