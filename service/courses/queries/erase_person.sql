-- $1: user. Assignments take their attempts along, sessions their seeks. What is staged of them is not carried out any more.
-- Gives how many assignments there were, and memberships.
WITH left_teams AS (
    DELETE FROM team_members WHERE user_id = $1 RETURNING 1
),
gone_sessions AS (
    DELETE FROM watch_sessions WHERE user_id = $1
),
gone_stints AS (
    DELETE FROM staged_stints WHERE user_id = $1
),
gone_ways AS (
    DELETE FROM staged_ways WHERE user_id = $1
),
gone_targets AS (
    DELETE FROM staged_targets WHERE user_id = $1
),
gone AS (
    DELETE FROM assignments WHERE user_id = $1 RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS assignments, (SELECT count(*) FROM left_teams) AS memberships
