-- $1: team.
SELECT team, title, created_at FROM teams WHERE team = $1
