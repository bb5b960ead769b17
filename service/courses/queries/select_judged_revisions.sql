-- $1 to $3: courses, lessons, revisions. What completes each. Laterally, so that no table is ever hashed for a few.
SELECT noted.course, noted.lesson, noted.revision, r.duration_ms, l.threshold_permille
FROM unnest($1::text[], $2::text[], $3::int[]) AS noted (course, lesson, revision)
CROSS JOIN LATERAL (
    SELECT threshold_permille
    FROM lessons
    WHERE lessons.lesson = noted.lesson AND lessons.course = noted.course
    LIMIT 1
) AS l
CROSS JOIN LATERAL (
    SELECT duration_ms
    FROM lesson_revisions
    WHERE lesson_revisions.lesson = noted.lesson AND lesson_revisions.revision = noted.revision
    LIMIT 1
) AS r
