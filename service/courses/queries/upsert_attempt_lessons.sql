-- $1 to $9: of each attempt and lesson: attempt, lesson, revision, cells that count, watch and effective time,
-- first view, last view or NULL, and completion or NULL. Nothing goes back, whatever comes late or twice.
INSERT INTO attempt_lessons AS known (
    attempt, lesson, revision, seen_cells, watch_ms, effective_ms, started_at, last_viewed_at, completed_at
)
SELECT *
FROM
    unnest(
        $1::bigint[], $2::text[], $3::int[], $4::int[], $5::bigint[], $6::bigint[], $7::timestamptz[],
        $8::timestamptz[], $9::timestamptz[]
    )
ON CONFLICT (attempt, lesson, revision) DO UPDATE
SET
    seen_cells = greatest(known.seen_cells, excluded.seen_cells),
    watch_ms = greatest(known.watch_ms, excluded.watch_ms),
    effective_ms = greatest(known.effective_ms, excluded.effective_ms),
    started_at = least(known.started_at, excluded.started_at),
    last_viewed_at = greatest(known.last_viewed_at, excluded.last_viewed_at),
    completed_at = coalesce(known.completed_at, excluded.completed_at)
