-- $1: courses. How many user courses there are of them here.
SELECT
    (SELECT count(*) FROM assignments WHERE course = ANY ($1::text[]) AND unassigned_at IS NULL)
    + (SELECT count(*) FROM user_courses WHERE course = ANY ($1::text[]) AND attempt IS NOT NULL)
