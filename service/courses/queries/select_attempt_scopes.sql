-- $1: attempts. Their ranges, and of open ones also the lessons that have none yet, with the video that is meant.
SELECT
    t.attempt, t.user_id, v.lesson, v.revision, r.slug, r.duration_ms, l.threshold_permille,
    l.removed_at IS NULL AND l.revision = v.revision AS is_current, v.scope_first, v.scope_last
FROM attempts AS t
CROSS JOIN LATERAL (
    SELECT lesson, revision, scope_first, scope_last
    FROM attempt_scopes
    WHERE attempt_scopes.attempt = t.attempt
    UNION ALL
    SELECT lesson, revision, NULL, NULL
    FROM lessons
    WHERE lessons.course = t.course AND lessons.removed_at IS NULL AND t.closed_at IS NULL
) AS v
JOIN lessons AS l ON l.lesson = v.lesson
JOIN lesson_revisions AS r ON r.lesson = v.lesson AND r.revision = v.revision
WHERE t.attempt = ANY ($1::bigint[])
ORDER BY t.attempt, l.place, v.lesson, v.revision
