-- Of user lessons that were imported before, and whose points were read now without them.
INSERT INTO staged_targets (
    user_lesson, user_course, course, user_id, lesson, revision, slug, duration_ms, stint, until_us, stint_before
)
SELECT
    k.user_lesson, k.user_course, w.course, w.user_id, k.lesson, l.revision, l.slug, l.duration_ms, w.stint, w.until_us,
    w.stint_before
FROM user_lessons AS k
JOIN staged_ways AS w ON w.user_course = k.user_course
JOIN lessons AS l ON l.lesson = k.lesson
WHERE k.user_lesson IN (SELECT user_lesson FROM staged_points)
ON CONFLICT (user_lesson) DO NOTHING
