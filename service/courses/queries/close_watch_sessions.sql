-- $1 and $2: sessions, and when each ended, $3: by what. One that is closed stays as it was.
UPDATE watch_sessions AS s
SET closed_at = ended.ended_at, closed_by = $3, look_at = NULL
FROM unnest($1::text[], $2::timestamptz[]) AS ended (session, ended_at)
WHERE s.session = ended.session AND s.closed_at IS NULL
RETURNING s.session
