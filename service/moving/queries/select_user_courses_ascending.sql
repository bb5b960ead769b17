-- $1: course, $2 to $4: the moment, user and id after which, $5: the last moment, $6: how many, $7 and $8: of which user and the
-- members of which teams alone, or NULL. By when they were made:
-- those that show the last attempt, and those that show a closed one.
SELECT *
FROM (
    (
        SELECT course, user_id, '' AS user_course, NULL::bigint AS attempt, first_assigned_at AS created_at
        FROM assignments
        WHERE
            course = $1 AND unassigned_at IS NULL AND first_assigned_at BETWEEN $2 AND $5
            AND (first_assigned_at, user_id, '') > ($2, $3::text, $4::text)
            AND (
                $8::text[] IS NULL OR user_id = $7
                OR EXISTS (SELECT FROM team_members AS m WHERE m.user_id = assignments.user_id AND m.team = ANY ($8))
            )
        ORDER BY first_assigned_at, user_id
        LIMIT $6
    )
    UNION ALL
    (
        SELECT course, user_id, user_course, attempt, created_at
        FROM user_courses
        WHERE
            course = $1 AND attempt IS NOT NULL AND created_at BETWEEN $2 AND $5
            AND (created_at, user_id, user_course) > ($2, $3::text, $4::text)
            AND (
                $8::text[] IS NULL OR user_id = $7
                OR EXISTS (SELECT FROM team_members AS m WHERE m.user_id = user_courses.user_id AND m.team = ANY ($8))
            )
        ORDER BY created_at, user_id, user_course
        LIMIT $6
    )
) AS page
ORDER BY created_at, user_id, user_course
LIMIT $6
