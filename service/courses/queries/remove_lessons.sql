-- $1: course, $2: the lessons that it has, $3: now. The others are removed.
UPDATE lessons
SET removed_at = $3
WHERE course = $1 AND removed_at IS NULL AND lesson <> ALL ($2::text[])
