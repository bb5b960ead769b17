-- $1: team, $2: users. Gives those who were no members.
INSERT INTO team_members (team, user_id)
SELECT $1, user_id
FROM unnest($2::text[]) AS added (user_id)
ORDER BY user_id
ON CONFLICT (team, user_id) DO NOTHING
RETURNING user_id
