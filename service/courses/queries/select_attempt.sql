-- $1: attempt.
SELECT * FROM attempts WHERE attempt = $1
