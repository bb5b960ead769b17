-- $1 and $2: courses and users, $3: now.
UPDATE assignments AS a
SET assigned_at = $3, unassigned_at = NULL
FROM unnest($1::text[], $2::text[]) AS wished (course, user_id)
WHERE a.course = wished.course AND a.user_id = wished.user_id
