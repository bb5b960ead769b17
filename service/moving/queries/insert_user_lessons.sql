-- $1: stint, $2: user courses. What their lessons are called.
INSERT INTO user_lessons (user_lesson, user_course, lesson, user_id)
SELECT t.user_lesson, t.user_course, t.lesson, t.user_id
FROM staged_targets AS t
JOIN user_courses AS u ON u.user_course = t.user_course
WHERE t.stint = $1 AND t.user_course = ANY ($2::text[])
ON CONFLICT DO NOTHING
