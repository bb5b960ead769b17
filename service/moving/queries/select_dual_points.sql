-- $1: users, $2: sessions, $3: the last moment. Points that came by dual write, by their sessions.
SELECT session, event_id
FROM events
WHERE user_id = ANY ($1::text[]) AND session = ANY ($2::text[]) AND event_id IS NOT NULL AND received_at <= $3
