-- $1 and $2: courses and users. The last attempt of each, if there is one.
SELECT t.*
FROM unnest($1::text[], $2::text[]) AS wished (course, user_id)
CROSS JOIN LATERAL (
    SELECT *
    FROM attempts
    WHERE attempts.course = wished.course AND attempts.user_id = wished.user_id
    ORDER BY number DESC
    LIMIT 1
) AS t
