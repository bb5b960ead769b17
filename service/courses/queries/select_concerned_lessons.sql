-- $1 to $3: users, digests of slugs, scopes. The lessons of attempts to which these belong.
SELECT DISTINCT s.attempt, s.lesson, s.revision
FROM unnest($1::text[], $2::bytea[], $3::int[]) AS watched (user_id, slug_digest, scope)
CROSS JOIN LATERAL (
    SELECT attempt, lesson, revision
    FROM attempt_scopes
    WHERE
        attempt_scopes.user_id = watched.user_id AND attempt_scopes.slug_digest = watched.slug_digest
        AND attempt_scopes.scope_first <= watched.scope
        AND (attempt_scopes.scope_last IS NULL OR attempt_scopes.scope_last >= watched.scope)
) AS s
