-- $1 to $7: of each attempt and lesson: attempt, lesson, revision, cells, first and last view, and completion or NULL.
-- Nothing goes back, whatever comes late or twice.
INSERT INTO attempt_lessons AS known (
    attempt, lesson, revision, seen_cells, started_at, last_viewed_at, completed_at
)
SELECT attempt, lesson, revision, seen_cells, started_at, last_viewed_at, completed_at
FROM
    unnest(
        $1::bigint[], $2::text[], $3::int[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[]
    )
    AS noted (attempt, lesson, revision, seen_cells, started_at, last_viewed_at, completed_at)
ON CONFLICT (attempt, lesson, revision) DO UPDATE
SET
    seen_cells = greatest(known.seen_cells, excluded.seen_cells),
    started_at = least(known.started_at, excluded.started_at),
    last_viewed_at = greatest(known.last_viewed_at, excluded.last_viewed_at),
    completed_at = coalesce(known.completed_at, excluded.completed_at)
