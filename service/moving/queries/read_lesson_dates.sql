-- $1: stint, $2: user courses. What their lessons say of when they were watched.
SELECT user_course, lesson, revision, started_us, viewed_us, completed_us
FROM staged_targets
WHERE
    stint = $1 AND user_course = ANY ($2::text[]) AND coalesce(started_us, viewed_us, completed_us) IS NOT NULL
