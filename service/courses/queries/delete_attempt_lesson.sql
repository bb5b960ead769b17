-- $1 to $3: attempt, lesson, revision.
DELETE FROM attempt_lessons WHERE attempt = $1 AND lesson = $2 AND revision = $3
