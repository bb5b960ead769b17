-- $1: course, $2: user, $3: the number below which they are, $4: how many. The last one first.
SELECT * FROM attempts WHERE course = $1 AND user_id = $2 AND number < $3 ORDER BY number DESC LIMIT $4
