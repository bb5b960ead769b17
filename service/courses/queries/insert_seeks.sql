-- $1: session, $2: attempt or NULL, $3 to $11: of each seek its name, from, to, limit, decision, whether it happened, whether
-- it is a skip, the player's reason or NULL, and when. Those that are there stay as they are; the session's row is locked
-- against being deleted meanwhile. Gives nothing where there is no such session.
WITH known AS (
    SELECT session, user_id, lesson, revision, slug
    FROM watch_sessions
    WHERE session = $1
    FOR KEY SHARE
),
added AS (
    INSERT INTO seeks (
        session, seek, user_id, lesson, revision, slug, attempt, from_ms, to_ms, limit_ms, decision, has_happened,
        is_skip, reason, at
    )
    SELECT
        known.session, sought.seek, known.user_id, known.lesson, known.revision, known.slug, $2::bigint, sought.from_ms,
        sought.to_ms, sought.limit_ms, sought.decision, sought.has_happened, sought.is_skip, sought.reason, sought.at
    FROM
        known,
        unnest(
            $3::text[], $4::int[], $5::int[], $6::int[], $7::text[], $8::bool[], $9::bool[], $10::text[],
            $11::timestamptz[]
        ) AS sought (seek, from_ms, to_ms, limit_ms, decision, has_happened, is_skip, reason, at)
    ON CONFLICT (session, seek) DO NOTHING
    RETURNING seek
)
SELECT session, (SELECT count(*) FROM added) AS added FROM known
