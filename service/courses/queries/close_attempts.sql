-- $1: attempts, $2: now. Gives those that were open.
UPDATE attempts
SET closed_at = $2, turn = turn + 1, is_levelled = false
WHERE attempt = ANY ($1::bigint[]) AND closed_at IS NULL
RETURNING attempt
