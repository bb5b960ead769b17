-- $1: user, $2 and $3: time and lesson with which the page before ended, $4: how many. The lessons whose video of now the
-- user watched while no attempt at them was open, by when that was last, the latest first.
SELECT lesson, course, slug, title, duration_ms, last_at
FROM (
    SELECT l.lesson, l.course, l.slug, l.title, l.duration_ms, max(v.last_at) AS last_at
    FROM viewings AS v
    CROSS JOIN LATERAL (
        SELECT lesson, course, slug, title, duration_ms
        FROM lessons
        WHERE lessons.slug = v.slug AND lessons.removed_at IS NULL
        LIMIT 500
    ) AS l
    WHERE v.user_id = $1 AND v.seen <> ''
        AND NOT EXISTS (
            SELECT
            FROM attempt_scopes AS s
            WHERE s.user_id = $1 AND s.slug_digest = v.slug_digest AND s.lesson = l.lesson
                AND v.scope >= s.scope_first AND v.scope <= coalesce(s.scope_last, v.scope)
        )
    GROUP BY l.lesson, l.course, l.slug, l.title, l.duration_ms
) AS watched
WHERE (last_at, lesson) < ($2, $3)
ORDER BY last_at DESC, lesson DESC
LIMIT $4
