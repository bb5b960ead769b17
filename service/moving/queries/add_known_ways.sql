-- Of user courses that were imported before, and whose lessons or points were read now without them. What was watched
-- before the last attempt was opened counted, or could have counted, for the one before it, which is closed.
INSERT INTO staged_ways (user_course, course, user_id, stint, until_us, stint_before)
SELECT
    k.user_course, k.course, k.user_id, CASE WHEN k.attempt IS NULL THEN 1 ELSE 0 END,
    CASE WHEN t.number > 1 THEN (extract(EPOCH FROM t.opened_at) * 1000000)::bigint END, 0
FROM user_courses AS k
LEFT JOIN LATERAL (
    SELECT number, opened_at
    FROM attempts
    WHERE attempts.course = k.course AND attempts.user_id = k.user_id
    ORDER BY number DESC
    LIMIT 1
) AS t ON true
WHERE
    k.user_course IN (SELECT user_course FROM staged_lessons)
    OR k.user_course IN (
        SELECT l.user_course
        FROM user_lessons AS l
        WHERE l.user_lesson IN (SELECT user_lesson FROM staged_points)
    )
ON CONFLICT (user_course) DO NOTHING
