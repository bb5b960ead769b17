-- Whether there is any lesson.
SELECT lesson FROM lesson_revisions WHERE lesson > '' ORDER BY lesson LIMIT 1
