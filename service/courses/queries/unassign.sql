-- $1: course, $2: user, $3: now.
UPDATE assignments SET unassigned_at = $3 WHERE course = $1 AND user_id = $2
