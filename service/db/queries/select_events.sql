-- $1: partition, $2: users, $3 and $4: after this stream id, $5 and $6: up to this one. In the order of application.
SELECT
    entry_ms, entry_seq, user_id, slug, session, kind, at_ms, from_ms, segments, speed, duration_ms,
    seq, event_id, timed, happened_at, received_at
FROM events
WHERE partition = $1::smallint
    AND user_id = ANY ($2::text[])
    AND (entry_ms, entry_seq) > ($3, $4)
    AND (entry_ms, entry_seq) <= ($5, $6)
ORDER BY entry_ms, entry_seq, ordinal
