-- $1: course, $2: now.
UPDATE courses SET archived_at = $2, updated_at = $2 WHERE course = $1 AND archived_at IS NULL
