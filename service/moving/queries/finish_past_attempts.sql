-- $1 to $7: of each attempt its number, when it was started, last viewed, completed and is due, each or NULL; when it was
-- closed, or NULL; whether it was opened for these dates: those of others are added to, and no date becomes older.
UPDATE attempts AS a
SET
    started_at = least(a.started_at, f.started_at),
    last_viewed_at = greatest(a.last_viewed_at, f.viewed_at),
    completed_at = CASE
        WHEN f.is_opened THEN coalesce(f.completed_at, a.completed_at) ELSE coalesce(a.completed_at, f.completed_at)
    END,
    due_at = greatest(a.due_at, f.due_at),
    closed_at = coalesce(a.closed_at, f.closed_at),
    turn = CASE WHEN a.closed_at IS NULL AND f.closed_at IS NOT NULL THEN a.turn + 1 ELSE a.turn END,
    is_levelled = a.is_levelled AND (a.closed_at IS NOT NULL OR f.closed_at IS NULL)
FROM
    unnest(
        $1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
        $7::boolean[]
    ) AS f (attempt, started_at, viewed_at, completed_at, due_at, closed_at, is_opened)
WHERE a.attempt = f.attempt
