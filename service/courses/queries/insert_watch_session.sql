-- $1: session, $2: user, $3 to $5: lesson, revision, slug, $6: attempt or NULL, $7: what the player says of itself or NULL,
-- $8: when it was started, $9: when to look at it. Again, it changes nothing, and gives no row.
INSERT INTO watch_sessions (
    session, user_id, lesson, revision, slug, attempt, client_info, started_at, look_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9)
ON CONFLICT (session) DO NOTHING
RETURNING session
