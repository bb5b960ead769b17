-- $1 and $2: courses and users. Their attempts whose ranges have to follow a change.
SELECT t.attempt
FROM unnest($1::text[], $2::text[]) AS wished (course, user_id)
CROSS JOIN LATERAL (
    SELECT attempt
    FROM attempts
    WHERE attempts.course = wished.course AND attempts.user_id = wished.user_id AND NOT attempts.is_levelled
    ORDER BY attempt
) AS t
