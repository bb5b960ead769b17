-- $1: user, $2: partition, $3 and $4: entry of the erasure. Deletes all that came before it, and says how much that was.
-- Courses know no entries: what the user was assigned goes, whenever that was, and takes the attempts along;
-- so do watching sessions their seeks.
WITH gone_events AS (
    DELETE FROM events
    WHERE user_id = $1 AND partition = $2::smallint AND (entry_ms, entry_seq) < ($3, $4)
    RETURNING 1
),
gone_pairs AS (
    DELETE FROM pairs WHERE user_id = $1 AND (version_ms, version_seq) < ($3, $4) RETURNING 1
),
gone_scopes AS (
    DELETE FROM scopes WHERE user_id = $1 AND (version_ms, version_seq) < ($3, $4)
),
gone_sessions AS (
    DELETE FROM sessions WHERE user_id = $1 AND (version_ms, version_seq) < ($3, $4) RETURNING 1
),
gone_users AS (
    DELETE FROM users WHERE user_id = $1 AND (version_ms, version_seq) < ($3, $4)
),
gone_assignments AS (
    DELETE FROM assignments WHERE user_id = $1
),
gone_watch_sessions AS (
    DELETE FROM watch_sessions WHERE user_id = $1
),
gone_memberships AS (
    DELETE FROM team_members WHERE user_id = $1
),
gone_viewings AS (
    DELETE FROM viewings WHERE user_id = $1
),
gone_speeds AS (
    DELETE FROM viewing_speeds WHERE user_id = $1
),
gone_flags AS (
    DELETE FROM viewing_flags WHERE user_id = $1
),
gone_hours AS (
    DELETE FROM playing_hours WHERE user_id = $1
)
INSERT INTO erasures (partition, entry_ms, entry_seq, events, pairs, sessions)
SELECT
    $2::smallint, $3, $4,
    (SELECT count(*) FROM gone_events), (SELECT count(*) FROM gone_pairs), (SELECT count(*) FROM gone_sessions)
