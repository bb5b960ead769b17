-- $1: partition, $2 and $3: a stream id. Users of snapshots up to there of whom no raw event is kept.
SELECT user_id
FROM users
WHERE partition = $1::smallint
    AND (version_ms, version_seq) <= ($2, $3)
    AND NOT EXISTS (SELECT FROM events WHERE events.user_id = users.user_id)
ORDER BY user_id
