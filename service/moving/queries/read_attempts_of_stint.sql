-- $1: stint, $2 and $3: courses and users. The attempts of this stint, by the user courses that show them.
SELECT t.user_course, t.attempt
FROM unnest($2::text[], $3::text[]) AS wished (course, user_id)
JOIN staged_stints AS t ON t.stint = $1 AND t.course = wished.course AND t.user_id = wished.user_id
WHERE t.user_course IS NOT NULL AND t.attempt IS NOT NULL
