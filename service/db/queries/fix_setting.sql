-- $1: name, $2: value. Answers the value that was there first; the update that changes nothing makes it visible.
INSERT INTO fixed_settings AS stored (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = stored.value
RETURNING value
