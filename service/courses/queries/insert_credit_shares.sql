-- $1 to $8: of each share credit, place, slug, session, scope, first and last event, and cells as a bitmap.
INSERT INTO credit_shares (credit, place, slug, session, scope, first_at, last_at, seen)
SELECT *
FROM
    unnest(
        $1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::timestamptz[],
        $8::bytea[]
    )
