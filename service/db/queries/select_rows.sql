-- $1: partition, $2 and $3: stream id. The rows of one entry, in the order of service.db.records.EVENT_COLUMNS.
SELECT
    partition, entry_ms, entry_seq, ordinal, user_id, slug, session, kind, at_ms, from_ms, segments, speed,
    duration_ms, seq, event_id, timed, happened_at, received_at, credited_ms, implausible_ms, implausible_reason,
    scope
FROM events
WHERE partition = $1::smallint AND entry_ms = $2 AND entry_seq = $3
ORDER BY ordinal
