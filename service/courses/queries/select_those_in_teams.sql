-- $1: users, $2: teams. Which of these users belong to any of these teams.
SELECT DISTINCT user_id FROM team_members WHERE user_id = ANY ($1::text[]) AND team = ANY ($2::text[])
