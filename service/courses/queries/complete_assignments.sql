-- $1 to $3: courses, users, and when an attempt of each was completed.
UPDATE assignments AS a
SET last_completed_at = greatest(a.last_completed_at, noted.completed_at)
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS noted (course, user_id, completed_at)
WHERE a.course = noted.course AND a.user_id = noted.user_id
