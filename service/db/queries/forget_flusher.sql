-- $1: its name.
DELETE FROM flushers WHERE name = $1
