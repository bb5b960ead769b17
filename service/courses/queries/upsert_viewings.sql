-- $1 to $18: of each viewing its columns, in their order.
INSERT INTO viewings (
    user_id, slug_digest, scope, name_digest, slug, session, first_at, last_at, events, watch_ms, effective_ms,
    implausible_ms, seen, flagged, speed, judged_ms, excess_ms, since_at
)
SELECT *
FROM
    unnest(
        $1::text[], $2::bytea[], $3::int[], $4::bytea[], $5::text[], $6::text[], $7::timestamptz[],
        $8::timestamptz[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bytea[], $14::bytea[],
        $15::smallint[], $16::bigint[], $17::bigint[], $18::timestamptz[]
    )
ON CONFLICT (user_id, slug_digest, scope, name_digest) DO UPDATE
SET
    first_at = excluded.first_at, last_at = excluded.last_at, events = excluded.events, watch_ms = excluded.watch_ms,
    effective_ms = excluded.effective_ms, implausible_ms = excluded.implausible_ms, seen = excluded.seen,
    flagged = excluded.flagged, speed = excluded.speed,
    judged_ms = excluded.judged_ms, excess_ms = excluded.excess_ms, since_at = excluded.since_at
