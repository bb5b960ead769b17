-- $1: team, $2: the last user of the page before, or an empty string, $3: how many. By name.
SELECT user_id FROM team_members WHERE team = $1 AND user_id > $2 ORDER BY user_id LIMIT $3
