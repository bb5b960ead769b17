-- $1: partition, or null for all, $2 and $3: after this stream id, $4 and $5: up to this one. In the order of the stream.
SELECT partition, entry_ms, entry_seq, run, outcomes, appended, events, reason, detail, parked_at
FROM parked_entries
WHERE ($1::smallint IS NULL OR partition = $1)
    AND (entry_ms, entry_seq) > ($2, $3)
    AND (entry_ms, entry_seq) <= ($4, $5)
ORDER BY entry_ms, entry_seq, partition
