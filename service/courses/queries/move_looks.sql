-- $1 and $2: sessions, and when each is to be looked at next.
UPDATE watch_sessions AS s
SET look_at = moved.look_at
FROM unnest($1::text[], $2::timestamptz[]) AS moved (session, look_at)
WHERE s.session = moved.session AND s.closed_at IS NULL
