-- $1: name.
SELECT value FROM fixed_settings WHERE name = $1
