-- $1: stint, $2 and $3: courses and users. What shows their attempts of this stint; the last one is shown by its user
-- course for as long as it is the last one. What was shown before comes first: of a pair one row has no attempt.
INSERT INTO user_courses (user_course, course, user_id, attempt, created_at)
SELECT
    t.user_course, t.course, t.user_id, CASE WHEN t.closes_us IS NOT NULL THEN t.attempt END,
    to_timestamp(coalesce(t.created_us, t.opened_us) / 1000000.0)
FROM unnest($2::text[], $3::text[]) AS wished (course, user_id)
JOIN staged_stints AS t ON t.stint = $1 AND t.course = wished.course AND t.user_id = wished.user_id
JOIN assignments AS a ON a.course = t.course AND a.user_id = t.user_id
WHERE t.user_course IS NOT NULL AND t.attempt IS NOT NULL
ON CONFLICT (user_course) DO UPDATE SET attempt = excluded.attempt
WHERE user_courses.attempt IS DISTINCT FROM excluded.attempt AND excluded.attempt IS NOT NULL
