-- $1: attempts. What each has of the lessons that its course has, or had when it was completed or closed; of their
-- videos the one that was completed first, or else the one of that time. Time is that of all of a lesson's videos.
SELECT
    t.attempt, l.lesson, l.title, coalesce(r.revision, v.revision) AS revision,
    coalesce(r.duration_ms, v.duration_ms) AS duration_ms, coalesce(r.seen_cells, 0) AS seen_cells,
    coalesce(s.watch_ms, 0) AS watch_ms, coalesce(s.effective_ms, 0) AS effective_ms, s.started_at, s.last_viewed_at,
    r.completed_at
FROM attempts AS t
CROSS JOIN LATERAL (
    SELECT lesson, title, place
    FROM lessons
    WHERE lessons.course = t.course
        AND (lessons.removed_at IS NULL OR lessons.removed_at > coalesce(t.completed_at, t.closed_at))
) AS l
LEFT JOIN LATERAL (
    SELECT revision, duration_ms
    FROM lesson_revisions
    WHERE lesson_revisions.lesson = l.lesson
        AND lesson_revisions.made_at <= coalesce(t.completed_at, t.closed_at, 'infinity')
    ORDER BY revision DESC
    LIMIT 1
) AS v ON true
LEFT JOIN LATERAL (
    SELECT
        attempt_lessons.revision, attempt_lessons.seen_cells, attempt_lessons.completed_at, known.duration_ms
    FROM attempt_lessons
    CROSS JOIN LATERAL (
        SELECT duration_ms
        FROM lesson_revisions
        WHERE lesson_revisions.lesson = l.lesson AND lesson_revisions.revision = attempt_lessons.revision
        LIMIT 1
    ) AS known
    WHERE attempt_lessons.attempt = t.attempt AND attempt_lessons.lesson = l.lesson
        AND (attempt_lessons.completed_at IS NOT NULL OR attempt_lessons.revision = v.revision)
    ORDER BY attempt_lessons.completed_at, attempt_lessons.revision DESC
    LIMIT 1
) AS r ON true
LEFT JOIN LATERAL (
    SELECT
        sum(watch_ms)::bigint AS watch_ms, sum(effective_ms)::bigint AS effective_ms, min(started_at) AS started_at,
        max(last_viewed_at) AS last_viewed_at
    FROM attempt_lessons
    WHERE attempt_lessons.attempt = t.attempt AND attempt_lessons.lesson = l.lesson
) AS s ON true
WHERE t.attempt = ANY ($1::bigint[]) AND coalesce(r.revision, v.revision) IS NOT NULL
ORDER BY t.attempt, l.place, l.lesson
