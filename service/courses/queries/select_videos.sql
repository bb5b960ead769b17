-- $1: course. Every video that its lessons had, also of those that it is without; in the order of the lessons.
SELECT l.lesson, l.title, l.removed_at, r.revision, r.duration_ms, r.made_at
FROM lessons AS l
CROSS JOIN LATERAL (
    SELECT revision, duration_ms, made_at
    FROM lesson_revisions
    WHERE lesson_revisions.lesson = l.lesson
    ORDER BY revision
    LIMIT 10000
) AS r
WHERE l.course = $1
ORDER BY l.place, l.lesson, r.revision
