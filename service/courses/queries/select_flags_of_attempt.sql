-- $1: attempt, $2: how many. What is implausible in its scopes, by session and reason, in the order of time.
SELECT s.lesson, s.revision, v.session, f.reason, f.implausible_ms, f.seen, v.first_at, v.last_at
FROM attempt_scopes AS s
JOIN viewing_flags AS f
    ON f.user_id = s.user_id AND f.slug_digest = s.slug_digest
    AND f.scope >= s.scope_first AND f.scope <= coalesce(s.scope_last, f.scope)
CROSS JOIN LATERAL (
    SELECT session, first_at, last_at
    FROM viewings
    WHERE
        viewings.user_id = f.user_id AND viewings.slug_digest = f.slug_digest AND viewings.scope = f.scope
        AND viewings.name_digest = f.name_digest
    LIMIT 1
) AS v
WHERE s.attempt = $1
ORDER BY v.first_at, v.session, f.reason
LIMIT $2
