-- $1 to $3: attempt, lesson, revision, $4: cells that count, $5: first view, $6: completion or NULL. Goes back, too.
UPDATE attempt_lessons
SET seen_cells = $4, started_at = $5, completed_at = $6
WHERE attempt = $1 AND lesson = $2 AND revision = $3
