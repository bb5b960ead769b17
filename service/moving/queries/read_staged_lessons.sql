-- What was read of user lessons, with what playhead has of them; all of one user course and lesson together, the first
-- one first. `nth` counts those of the same id, the newest first.
SELECT
    s.user_lesson, s.user_course, s.lesson, s.user_id, s.progress, s.furthest, s.is_completed, s.created_us,
    s.updated_us, s.started_us, s.completed_us, s.viewed_us, s.file, s.line,
    s.nth, w.course, w.user_id AS whose, w.stint, w.until_us, w.stint_before,
    l.course AS course_of_lesson, l.revision, l.slug, l.duration_ms, k.user_lesson AS known_lesson,
    n.user_lesson IS NOT NULL AS is_elsewhere
FROM (
    SELECT *, row_number() OVER (PARTITION BY user_lesson ORDER BY updated_us DESC, file DESC, line DESC) AS nth
    FROM staged_lessons
) AS s
LEFT JOIN staged_ways AS w ON w.user_course = s.user_course
LEFT JOIN lessons AS l ON l.lesson = s.lesson AND l.removed_at IS NULL
LEFT JOIN user_lessons AS k ON k.user_course = s.user_course AND k.lesson = s.lesson
LEFT JOIN user_lessons AS n
    ON n.user_lesson = s.user_lesson AND (n.user_course <> s.user_course OR n.lesson <> s.lesson)
ORDER BY s.user_course, s.lesson, s.created_us, s.user_lesson
