-- $1 to $4: of each attempt its course, user, number, and when it is due or NULL, $5: why it is opened, $6: now.
INSERT INTO attempts (course, user_id, number, due_at, opened_by, opened_at)
SELECT course, user_id, number, due_at, $5, $6
FROM
    unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[]) AS opened (course, user_id, number, due_at)
