-- $1: session.
SELECT
    s.session, s.user_id, s.lesson, s.revision, s.slug, s.attempt, s.started_at, s.closed_at, s.closed_by,
    r.duration_ms
FROM watch_sessions AS s
JOIN lesson_revisions AS r ON r.lesson = s.lesson AND r.revision = s.revision
WHERE s.session = $1
