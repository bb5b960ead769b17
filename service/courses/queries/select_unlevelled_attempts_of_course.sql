-- $1: course, $2: how many. Its attempts whose ranges have to follow a change.
SELECT attempt FROM attempts WHERE course = $1 AND NOT is_levelled ORDER BY user_id LIMIT $2
