-- $1: id of a user's lesson, $2 and $3: the lesson and the user that it spells, if it does.
SELECT u.user_id, l.lesson, l.slug, l.duration_ms
FROM user_lessons AS u
JOIN lessons AS l ON l.lesson = u.lesson
WHERE u.user_lesson = $1
UNION ALL
SELECT a.user_id, l.lesson, l.slug, l.duration_ms
FROM lessons AS l
JOIN assignments AS a ON a.course = l.course AND a.user_id = $3
WHERE l.lesson = $2 AND a.unassigned_at IS NULL
LIMIT 1
