-- $1: lesson.
SELECT course, lesson, slug, title, duration_ms, threshold_permille, revision, removed_at
FROM lessons
WHERE lesson = $1
