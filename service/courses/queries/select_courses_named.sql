-- $1: courses.
SELECT * FROM courses WHERE course = ANY ($1::text[])
