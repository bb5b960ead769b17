-- $1: stint, $2: after which user lesson, $3: how many. Those that say something of themselves that was not brought in yet.
SELECT t.user_lesson
FROM staged_targets AS t
LEFT JOIN imported_lessons AS i ON i.user_lesson = t.user_lesson
WHERE t.stint = $1 AND t.position_ms IS NOT NULL AND t.user_lesson > $2 AND i.is_told IS NOT TRUE
ORDER BY t.user_lesson
LIMIT $3
