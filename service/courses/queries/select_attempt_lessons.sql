-- $1: attempt. In no order but that of names and revisions.
SELECT lesson, revision, seen_cells, started_at, last_viewed_at, completed_at
FROM attempt_lessons
WHERE attempt = $1
ORDER BY lesson, revision
