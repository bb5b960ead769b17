-- $1 to $4: of viewings user, digest of the slug, scope, digest of slug and session; $5: a place for each.
SELECT asked.place, f.reason, f.implausible_ms, f.seen
FROM
    unnest($1::text[], $2::bytea[], $3::int[], $4::bytea[], $5::int[])
    AS asked (user_id, slug_digest, scope, name_digest, place)
CROSS JOIN LATERAL (
    SELECT *
    FROM viewing_flags
    WHERE
        viewing_flags.user_id = asked.user_id AND viewing_flags.slug_digest = asked.slug_digest
        AND viewing_flags.scope = asked.scope AND viewing_flags.name_digest = asked.name_digest
) AS f
