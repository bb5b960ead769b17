-- $1: the hour before which they are, $2: how many. Gives those that are gone.
DELETE FROM playing_hours
WHERE ctid = ANY (ARRAY(SELECT ctid FROM playing_hours WHERE hour < $1 ORDER BY hour LIMIT $2))
RETURNING hour
