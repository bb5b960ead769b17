-- $1: the last course of the page before, or an empty string, $2: whether archived ones, too, $3: how many. By name.
SELECT * FROM courses WHERE course > $1 AND ($2 OR archived_at IS NULL) ORDER BY course LIMIT $3
