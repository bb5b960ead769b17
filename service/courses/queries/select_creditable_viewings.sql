-- $1: user, $2 and $3: lessons, and of each the digest of its movie, $4: since when it was watched, $5: how many of each,
-- $6: the attempt. What was watched in scopes that are no attempt's for that lesson, nor lie before those of another
-- attempt, which is an earlier one: it could have had them. The earliest first.
SELECT wanted.lesson, v.slug, v.session, v.scope, v.first_at, v.last_at, v.seen, v.flagged
FROM unnest($2::text[], $3::bytea[]) AS wanted (lesson, slug_digest)
CROSS JOIN LATERAL (
    SELECT slug, session, scope, first_at, last_at, seen, flagged
    FROM viewings
    WHERE viewings.user_id = $1 AND viewings.slug_digest = wanted.slug_digest AND viewings.last_at >= $4
        AND NOT EXISTS (
            SELECT
            FROM attempt_scopes AS s
            WHERE s.user_id = $1 AND s.slug_digest = wanted.slug_digest AND s.lesson = wanted.lesson
                AND (s.attempt <> $6 OR viewings.scope >= s.scope_first)
                AND viewings.scope <= coalesce(s.scope_last, viewings.scope)
        )
    ORDER BY last_at, session, scope
    LIMIT $5
) AS v
