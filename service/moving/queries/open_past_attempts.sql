-- $1 to $6: of each attempt its course, user, number, when it is due or NULL, why it was opened, and when.
INSERT INTO attempts (course, user_id, number, due_at, opened_by, opened_at)
SELECT *
FROM unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[], $5::text[], $6::timestamptz[])
RETURNING attempt, course, user_id
