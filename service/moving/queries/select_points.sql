-- $1 to $6: users, movies, and the moment and place before which; $7: how many of each.
-- What was said of where these users were, the latest first.
SELECT
    w.place, e.session, e.event_id, e.at_ms, e.happened_at, e.received_at, e.entry_ms, e.entry_seq, e.ordinal
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::smallint[])
    WITH ORDINALITY AS w (user_id, slug, received_at, entry_ms, entry_seq, ordinal, place)
CROSS JOIN LATERAL (
    SELECT *
    FROM events
    WHERE
        events.user_id = w.user_id AND events.slug = w.slug AND events.kind NOT IN ('cut', 'load')
        AND (events.received_at, events.entry_ms, events.entry_seq, events.ordinal)
        < (w.received_at, w.entry_ms, w.entry_seq, w.ordinal)
    ORDER BY events.received_at DESC, events.entry_ms DESC, events.entry_seq DESC, events.ordinal DESC
    LIMIT $7
) AS e
ORDER BY w.place, e.received_at DESC, e.entry_ms DESC, e.entry_seq DESC, e.ordinal DESC
