-- $1: partition, $2: the last user of the page before, $3: how many. Users with raw events but no snapshot yet too: those
-- are found first, apart, since a planner that doesn't know how few they are would walk all events by user.
WITH unsaved AS MATERIALIZED (
    SELECT DISTINCT user_id
    FROM events
    WHERE partition = $1::smallint
        AND (entry_ms, entry_seq) > (
            (SELECT snapshot_ms FROM checkpoints WHERE checkpoints.partition = $1::smallint),
            (SELECT snapshot_seq FROM checkpoints WHERE checkpoints.partition = $1::smallint)
        )
)
SELECT user_id FROM (
    (SELECT user_id FROM users WHERE partition = $1::smallint AND user_id > $2 ORDER BY user_id LIMIT $3)
    UNION
    SELECT user_id FROM unsaved WHERE user_id > $2
) AS known
ORDER BY user_id
LIMIT $3
