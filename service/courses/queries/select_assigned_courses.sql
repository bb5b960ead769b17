-- $1: courses. What an assignment has to know of them.
SELECT course, time_zone, archived_at FROM courses WHERE course = ANY ($1::text[])
