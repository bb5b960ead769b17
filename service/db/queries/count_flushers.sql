-- $1: a flusher's name. How many are alive, and how many of these come before it by name.
SELECT count(*) AS alive, count(*) FILTER (WHERE name < $1) AS before
FROM flushers
WHERE alive_until >= clock_timestamp()
