-- $1 and $2: attempts, and when each is due or NULL. They go on.
UPDATE attempts AS t
SET closed_at = NULL, due_at = said.due_at, turn = turn + 1, is_levelled = false
FROM unnest($1::bigint[], $2::timestamptz[]) AS said (attempt, due_at)
WHERE t.attempt = said.attempt
