-- $1: lessons.
SELECT lesson, course FROM lessons WHERE lesson = ANY ($1::text[])
