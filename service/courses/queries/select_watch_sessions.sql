-- $1: user, $2: lesson, $3: how many. The last one first.
SELECT
    s.session, s.user_id, s.lesson, s.revision, s.slug, s.attempt, s.started_at, s.closed_at, s.closed_by,
    r.duration_ms
FROM (
    SELECT *
    FROM watch_sessions
    WHERE user_id = $1 AND lesson = $2
    ORDER BY started_at DESC
    LIMIT $3
) AS s
JOIN lesson_revisions AS r ON r.lesson = s.lesson AND r.revision = s.revision
ORDER BY s.started_at DESC, s.session
