-- $1: its name, $2: for how many seconds it counts as alive. Forgets whoever is no longer.
WITH gone AS (
    DELETE FROM flushers WHERE name IN (
        SELECT name FROM flushers WHERE alive_until < clock_timestamp() AND name <> $1 FOR UPDATE SKIP LOCKED
    )
)
INSERT INTO flushers AS mine (name, alive_until) VALUES ($1, clock_timestamp() + $2 * interval '1 second')
ON CONFLICT (name) DO UPDATE SET alive_until = excluded.alive_until
