-- $1: course, $2: user. When it was completed last, of the attempts as they are now.
UPDATE assignments
SET last_completed_at = (
    SELECT max(completed_at)
    FROM attempts
    WHERE attempts.course = $1 AND attempts.user_id = $2
)
WHERE course = $1 AND user_id = $2
