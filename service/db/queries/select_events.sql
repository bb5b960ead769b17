-- $1: partition, $2: users, $3 and $4: after this stream id, $5 and $6: up to this one. In the order of application.
-- The columns of service.events.event.Event, in its order; then the stream id.
SELECT
    user_id, slug, kind, at_ms, happened_at, received_at, timed, session, seq, event_id, from_ms, speed, segments,
    duration_ms, entry_ms, entry_seq
FROM events
WHERE partition = $1::smallint
    AND user_id = ANY ($2::text[])
    AND (entry_ms, entry_seq) > ($3, $4)
    AND (entry_ms, entry_seq) <= ($5, $6)
ORDER BY entry_ms, entry_seq, ordinal
