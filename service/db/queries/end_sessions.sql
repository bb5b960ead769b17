-- Ends the sessions of flushers that are gone and still hold partitions: one that was stopped in the middle of a commit,
-- or whose machine vanished, would keep its locks. A session is told by its application_name, the flusher's name.
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user
    AND application_name IN (
        SELECT holder FROM checkpoints
        WHERE NOT EXISTS (SELECT FROM flushers WHERE name = holder AND alive_until >= clock_timestamp())
    )
