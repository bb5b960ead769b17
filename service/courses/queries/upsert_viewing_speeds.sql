-- $1 to $8: of each its columns, in their order.
INSERT INTO viewing_speeds AS known (
    user_id, slug_digest, scope, name_digest, speed, watch_ms, effective_ms, seen
)
SELECT *
FROM
    unnest(
        $1::text[], $2::bytea[], $3::int[], $4::bytea[], $5::smallint[], $6::bigint[], $7::bigint[], $8::bytea[]
    )
ON CONFLICT (user_id, slug_digest, scope, name_digest, speed) DO UPDATE
SET watch_ms = excluded.watch_ms, effective_ms = excluded.effective_ms, seen = excluded.seen
WHERE (known.watch_ms, known.seen) <> (excluded.watch_ms, excluded.seen)
