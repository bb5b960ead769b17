-- $1: attempt, $2: first view, $3: last view, $4: when it was completed, or NULL. A completion stays.
UPDATE attempts
SET started_at = $2, last_viewed_at = $3, completed_at = coalesce(completed_at, $4)
WHERE attempt = $1
