-- $1: courses. Their lessons, in order.
SELECT course, lesson, slug, title, duration_ms, threshold_permille, revision
FROM lessons
WHERE course = ANY ($1::text[]) AND removed_at IS NULL
ORDER BY course, place
