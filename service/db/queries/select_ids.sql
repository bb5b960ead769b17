-- $1: users, $2: since when. In the order of receipt.
SELECT user_id, event_id, received_at
FROM events
WHERE user_id = ANY ($1::text[]) AND event_id IS NOT NULL AND received_at > $2::timestamptz
ORDER BY received_at
