-- $1: course, $2 and $3: lessons and revisions. What completes each.
SELECT r.lesson, r.revision, r.duration_ms, l.threshold_permille
FROM unnest($2::text[], $3::int[]) AS noted (lesson, revision)
JOIN lessons AS l ON l.lesson = noted.lesson
JOIN lesson_revisions AS r ON r.lesson = noted.lesson AND r.revision = noted.revision
WHERE l.course = $1
