-- What was read of user courses, with what playhead has of them; all of one course and user together.
-- `nth` counts those of the same id, the newest first.
SELECT
    s.user_course, s.course, s.user_id, s.is_completed, s.created_us, s.updated_us, s.due_us, s.started_us,
    s.completed_us, s.viewed_us, s.last_completed_us, s.file, s.line,
    s.nth, c.course IS NOT NULL AS has_course, k.attempt AS shown_attempt, k.user_course IS NOT NULL AS is_known,
    k.course = s.course AND k.user_id = s.user_id AS is_same,
    t.attempt, t.number, t.opened_at, t.closed_at IS NULL AS is_open, u.user_course AS last_user_course
FROM (
    SELECT *, row_number() OVER (PARTITION BY user_course ORDER BY updated_us DESC, file DESC, line DESC) AS nth
    FROM staged_courses
) AS s
LEFT JOIN courses AS c ON c.course = s.course
LEFT JOIN user_courses AS k ON k.user_course = s.user_course
LEFT JOIN LATERAL (
    SELECT attempt, number, opened_at, closed_at
    FROM attempts
    WHERE attempts.course = s.course AND attempts.user_id = s.user_id
    ORDER BY number DESC
    LIMIT 1
) AS t ON true
LEFT JOIN user_courses AS u ON u.course = s.course AND u.user_id = s.user_id AND u.attempt IS NULL
ORDER BY s.course, s.user_id
