-- $1: team, $2: user.
DELETE FROM team_members WHERE team = $1 AND user_id = $2
