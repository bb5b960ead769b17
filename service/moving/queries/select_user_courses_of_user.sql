-- $1: user, $2 and $3: the course and id after which, $4: how many. By course: those that show the last attempt, and
-- those that show a closed one.
SELECT *
FROM (
    (
        SELECT course, user_id, '' AS user_course, NULL::bigint AS attempt, first_assigned_at AS created_at
        FROM assignments
        WHERE user_id = $1 AND unassigned_at IS NULL AND course >= $2 AND (course, '') > ($2, $3::text)
        ORDER BY course
        LIMIT $4
    )
    UNION ALL
    (
        SELECT course, user_id, user_course, attempt, created_at
        FROM user_courses
        WHERE user_id = $1 AND attempt IS NOT NULL AND course >= $2 AND (course, user_course) > ($2, $3::text)
        ORDER BY course, user_course
        LIMIT $4
    )
) AS page
ORDER BY course, user_course
LIMIT $4
