-- $1 to $7: of each its columns, in their order.
INSERT INTO viewing_flags AS known (user_id, slug_digest, scope, name_digest, reason, implausible_ms, seen)
SELECT *
FROM unnest($1::text[], $2::bytea[], $3::int[], $4::bytea[], $5::text[], $6::bigint[], $7::bytea[])
ON CONFLICT (user_id, slug_digest, scope, name_digest, reason) DO UPDATE
SET implausible_ms = excluded.implausible_ms, seen = excluded.seen
WHERE known.implausible_ms <> excluded.implausible_ms
