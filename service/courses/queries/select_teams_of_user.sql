-- $1: user. By name.
SELECT team FROM team_members WHERE user_id = $1 ORDER BY team
