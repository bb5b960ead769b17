-- $1: team, $2: title, $3: now.
INSERT INTO teams (team, title, created_at)
VALUES ($1, $2, $3)
ON CONFLICT (team) DO UPDATE SET title = excluded.title
RETURNING team, title, created_at
