-- $1 to $4: attempts, and of each its first view, last view, and completion or NULL.
UPDATE attempts AS t
SET started_at = noted.started_at, last_viewed_at = noted.last_viewed_at, completed_at = noted.completed_at
FROM
    unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[])
    AS noted (attempt, started_at, last_viewed_at, completed_at)
WHERE t.attempt = noted.attempt
