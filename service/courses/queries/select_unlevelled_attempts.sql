-- $1: how many. Attempts whose ranges have to follow a change, whoever made it.
SELECT attempt FROM attempts WHERE NOT is_levelled ORDER BY course, user_id LIMIT $1
