-- $1: partition, $2: how many of its last events.
SELECT DISTINCT user_id FROM (
    SELECT user_id
    FROM events
    WHERE partition = $1::smallint
    ORDER BY entry_ms DESC, entry_seq DESC, ordinal DESC
    LIMIT $2
) AS latest
