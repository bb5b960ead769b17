-- $1: user, $2: session, $3: ids of events, $4: when the session began. Which of these ids its raw events have.
SELECT event_id
FROM events
WHERE user_id = $1 AND session = $2 AND event_id = ANY($3::text[]) AND received_at >= $4
