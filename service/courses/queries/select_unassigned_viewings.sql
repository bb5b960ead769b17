-- $1: user, $2 and $3: lessons, and of each the digest of its movie, $4: how many of each. What was watched while no attempt
-- at that lesson was open, by session and scope, the latest first.
SELECT wanted.lesson, v.session, v.first_at, v.last_at, v.watch_ms, v.effective_ms, v.seen, v.flagged
FROM unnest($2::text[], $3::bytea[]) AS wanted (lesson, slug_digest)
CROSS JOIN LATERAL (
    SELECT session, first_at, last_at, watch_ms, effective_ms, seen, flagged
    FROM viewings
    WHERE viewings.user_id = $1 AND viewings.slug_digest = wanted.slug_digest AND viewings.seen <> ''
        AND NOT EXISTS (
            SELECT
            FROM attempt_scopes AS s
            WHERE s.user_id = $1 AND s.slug_digest = wanted.slug_digest AND s.lesson = wanted.lesson
                AND viewings.scope >= s.scope_first AND viewings.scope <= coalesce(s.scope_last, viewings.scope)
        )
    ORDER BY last_at DESC, session
    LIMIT $4
) AS v
