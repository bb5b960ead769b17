-- $1: course, $2: user. Those that show the last attempt, and those that show a closed one: one a year.
SELECT course, user_id, '' AS user_course, NULL::bigint AS attempt, first_assigned_at AS created_at
FROM assignments
WHERE course = $1 AND user_id = $2 AND unassigned_at IS NULL
UNION ALL
SELECT course, user_id, user_course, attempt, created_at
FROM user_courses
WHERE course = $1 AND user_id = $2 AND attempt IS NOT NULL
