-- $1: ids of the old system. With the course that each is of.
SELECT l.user_lesson, l.lesson, c.user_course, c.course, c.user_id, c.attempt, c.created_at
FROM user_lessons AS l
JOIN user_courses AS c ON c.user_course = l.user_course
WHERE l.user_lesson = ANY ($1::text[])
