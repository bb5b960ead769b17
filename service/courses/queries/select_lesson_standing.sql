-- $1: lesson, $2: user. How the user stands to the lesson: its course, and their open attempt at that if there is one.
SELECT
    l.course, l.lesson, l.slug, l.revision, l.duration_ms, l.threshold_permille, l.removed_at, c.skip_policy,
    t.attempt
FROM lessons AS l
JOIN courses AS c ON c.course = l.course
LEFT JOIN attempts AS t ON t.course = l.course AND t.user_id = $2 AND t.closed_at IS NULL
WHERE l.lesson = $1
