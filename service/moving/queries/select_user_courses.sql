-- $1 to $3: courses, users, and the attempts that are shown; NULL: the last one, where the course is assigned.
-- In the order of these.
SELECT
    w.place, a.course, a.user_id, a.first_assigned_at, a.assigned_at, a.last_completed_at, u.user_course,
    u.created_at,
    t.attempt, t.opened_at, t.due_at, t.started_at, t.last_viewed_at, t.completed_at, t.closed_at
FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS w (course, user_id, shown, place)
JOIN assignments AS a ON a.course = w.course AND a.user_id = w.user_id
LEFT JOIN user_courses AS u ON u.course = w.course AND u.user_id = w.user_id AND u.attempt IS NULL
CROSS JOIN LATERAL (
    SELECT *
    FROM attempts
    WHERE
        attempts.course = a.course AND attempts.user_id = a.user_id
        AND (w.shown IS NULL OR attempts.attempt = w.shown)
    ORDER BY number DESC
    LIMIT 1
) AS t
WHERE w.shown IS NOT NULL OR a.unassigned_at IS NULL
ORDER BY w.place
