-- $1: attempts.
SELECT * FROM attempts WHERE attempt = ANY ($1::bigint[]) ORDER BY attempt
