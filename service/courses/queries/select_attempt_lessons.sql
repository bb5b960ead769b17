-- $1: attempts.
SELECT
    attempt, lesson, revision, seen_cells, watch_ms, effective_ms, started_at, last_viewed_at, completed_at
FROM attempt_lessons
WHERE attempt = ANY ($1::bigint[])
ORDER BY attempt, lesson, revision
