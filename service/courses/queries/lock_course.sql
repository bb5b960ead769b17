-- $1: course.
SELECT * FROM courses WHERE course = $1 FOR UPDATE
