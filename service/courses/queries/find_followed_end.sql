-- $1: partition, $2 to $4: entry and ordinal after which, $5 and $6: entry up to which, $7: how many rows but one.
-- The last of so many rows; nothing where there are fewer.
SELECT entry_ms, entry_seq, ordinal
FROM events
WHERE
    partition = $1::smallint AND (entry_ms, entry_seq, ordinal) > ($2, $3, $4::smallint)
    AND (entry_ms, entry_seq) <= ($5, $6)
ORDER BY entry_ms, entry_seq, ordinal
OFFSET $7 LIMIT 1
