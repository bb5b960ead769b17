-- $1: stint. The points that count in it, or in none where it is the first one; by user lesson, in their order.
SELECT p.user_lesson, p.point, p.created_us, p.progress, p.owner, p.file, p.line
FROM staged_points AS p
LEFT JOIN staged_targets AS t ON t.user_lesson = p.user_lesson
WHERE
    $1 = greatest(
        1, CASE WHEN t.user_lesson IS NULL THEN 1 WHEN p.created_us <= t.until_us THEN t.stint_before ELSE t.stint END
    )
ORDER BY p.user_lesson, p.created_us, p.point, p.file, p.line
