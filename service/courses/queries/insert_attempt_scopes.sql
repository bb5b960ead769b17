-- $1 to $8: of each range its attempt, lesson, revision, part, user, slug, digest of the slug, first scope.
INSERT INTO attempt_scopes (attempt, lesson, revision, part, user_id, slug, slug_digest, scope_first)
SELECT *
FROM unnest($1::bigint[], $2::text[], $3::int[], $4::int[], $5::text[], $6::text[], $7::bytea[], $8::int[])
