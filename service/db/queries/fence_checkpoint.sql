-- $1: partition, $2 and $3: where it stands, $4: its epoch. Moves both by the least that shuts out whoever has read them.
UPDATE checkpoints
SET
    entry_seq = entry_seq + 1,
    snapshot_seq = snapshot_seq
        + CASE WHEN (snapshot_ms, snapshot_seq) = (entry_ms, entry_seq) THEN 1 ELSE 0 END,
    epoch = epoch + 1,
    updated_at = now()
WHERE partition = $1::smallint AND entry_ms = $2 AND entry_seq = $3 AND epoch = $4
RETURNING entry_ms, entry_seq, appended, erased, snapshot_ms, snapshot_seq, epoch, holder
