-- $1: lessons. Of any course, also those that were removed.
SELECT course, lesson, slug, title, duration_ms, threshold_permille, revision
FROM lessons
WHERE lesson = ANY ($1::text[])
