-- $1 to $3: users, digests of slugs, digests of slug and session. The viewings of these sessions, in whichever scope.
SELECT
    v.user_id, v.slug, v.session, v.scope, v.first_at, v.last_at, v.speed, v.events, v.watch_ms, v.effective_ms,
    v.implausible_ms, v.seen, v.judged_ms, v.excess_ms, v.since_at
FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS asked (user_id, slug_digest, name_digest)
CROSS JOIN LATERAL (
    SELECT *
    FROM viewings
    WHERE
        viewings.user_id = asked.user_id AND viewings.slug_digest = asked.slug_digest
        AND viewings.name_digest = asked.name_digest
) AS v
