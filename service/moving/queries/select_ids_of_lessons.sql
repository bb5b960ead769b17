-- $1: ids of what users have of courses, in the old system.
SELECT user_course, lesson, user_lesson FROM user_lessons WHERE user_course = ANY ($1::text[])
