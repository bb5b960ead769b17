-- $1 to $4: of each its columns, in their order.
INSERT INTO playing_hours AS known (user_id, hour, name_digest, seconds)
SELECT *
FROM unnest($1::text[], $2::int[], $3::bytea[], $4::bytea[])
ON CONFLICT (user_id, hour, name_digest) DO UPDATE
SET seconds = excluded.seconds
WHERE known.seconds <> excluded.seconds
