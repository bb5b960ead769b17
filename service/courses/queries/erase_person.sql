-- $1: user. Assignments take their attempts along, sessions their seeks. Gives how many assignments there were, and memberships.
WITH left_teams AS (
    DELETE FROM team_members WHERE user_id = $1 RETURNING 1
),
gone_sessions AS (
    DELETE FROM watch_sessions WHERE user_id = $1
),
gone AS (
    DELETE FROM assignments WHERE user_id = $1 RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS assignments, (SELECT count(*) FROM left_teams) AS memberships
