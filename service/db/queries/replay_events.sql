-- $1: partition, $2 and $3: up to this stream id. Everything, one user after the other, each in the order of application.
-- The columns of service.events.event.Event, in its order.
SELECT
    user_id, slug, kind, at_ms, happened_at, received_at, timed, session, seq, event_id, from_ms, speed, segments,
    duration_ms
FROM events
WHERE partition = $1::smallint AND (entry_ms, entry_seq) <= ($2, $3)
ORDER BY user_id, entry_ms, entry_seq, ordinal
