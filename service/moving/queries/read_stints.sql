-- $1: stint, $2 and $3: after which course and user, $4: how many.
SELECT
    course, user_id, user_course, attempt, is_opened, created_us, opened_us, due_us, started_us, viewed_us, completed_us,
    last_completed_us, closes_us
FROM staged_stints
WHERE stint = $1 AND (course, user_id) > ($2, $3)
ORDER BY course, user_id
LIMIT $4
