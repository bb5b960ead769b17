-- $1: course, $2: user, $3: when an attempt was completed.
UPDATE assignments SET last_completed_at = greatest(last_completed_at, $3) WHERE course = $1 AND user_id = $2
