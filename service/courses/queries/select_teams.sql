-- $1: the last team of the page before, or an empty string, $2: how many. By name.
SELECT team, title, created_at FROM teams WHERE team > $1 ORDER BY team LIMIT $2
