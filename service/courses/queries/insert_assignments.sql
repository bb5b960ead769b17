-- $1 and $2: courses and users, $3: now. In their order, so that two runs never wait for each other in a circle.
INSERT INTO assignments (course, user_id, first_assigned_at, assigned_at)
SELECT course, user_id, $3, $3
FROM unnest($1::text[], $2::text[]) AS wished (course, user_id)
ORDER BY course COLLATE "C", user_id COLLATE "C"
ON CONFLICT (course, user_id) DO NOTHING
