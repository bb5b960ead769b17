-- $1: the last user of the page before, or an empty string, $2: how many. Who was ever assigned a course, by name.
SELECT DISTINCT user_id FROM assignments WHERE user_id > $1 ORDER BY user_id LIMIT $2
