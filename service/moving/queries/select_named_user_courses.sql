-- $1: ids of the old system.
SELECT user_course, course, user_id, attempt, created_at FROM user_courses WHERE user_course = ANY ($1::text[])
