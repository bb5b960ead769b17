-- $1 to $3: courses, users, and since when. In their order, so that two runs never wait for each other in a circle.
INSERT INTO assignments (course, user_id, first_assigned_at, assigned_at)
SELECT course, user_id, assigned_at, assigned_at
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS given (course, user_id, assigned_at)
ORDER BY course COLLATE "C", user_id COLLATE "C"
ON CONFLICT (course, user_id) DO NOTHING
