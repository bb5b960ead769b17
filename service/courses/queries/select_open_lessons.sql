-- $1: user, $2: slug. The lessons that have this movie and that open attempts of the user wait for.
SELECT t.attempt, l.course, l.lesson, l.revision, l.duration_ms, l.threshold_permille, c.skip_policy
FROM lessons AS l
JOIN attempts AS t ON t.course = l.course AND t.user_id = $1 AND t.closed_at IS NULL
JOIN courses AS c ON c.course = l.course
WHERE l.slug = $2 AND l.removed_at IS NULL
ORDER BY t.attempt
