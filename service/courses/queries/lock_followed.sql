-- $1: partition. How far it was followed; nothing where somebody else is following it just now.
SELECT entry_ms, entry_seq, ordinal FROM followed WHERE partition = $1::smallint FOR UPDATE SKIP LOCKED
