-- $1: partition, $2 and $3: entry whose rows are stored only now. Where following has passed it, it will come back to it.
INSERT INTO late_entries (partition, entry_ms, entry_seq)
SELECT partition, $2, $3 FROM followed WHERE partition = $1::smallint AND (entry_ms, entry_seq) >= ($2, $3)
