-- $1: user lessons, $2: whether nothing was opened, since it is only tried. Where their points go, and how far they have
-- come; of who was erased meanwhile there is nothing.
SELECT
    t.user_lesson, t.course, t.user_id, t.slug, t.duration_ms, t.stint, t.until_us, t.stint_before, t.position_ms,
    t.furthest_ms, t.told_us, i.points, i.last_us, i.last_point, i.position_ms AS last_position_ms, i.known, i.seq,
    i.is_told
FROM staged_targets AS t
LEFT JOIN assignments AS a ON a.course = t.course AND a.user_id = t.user_id
LEFT JOIN imported_lessons AS i ON i.user_lesson = t.user_lesson
WHERE t.user_lesson = ANY ($1::text[]) AND ($2 OR a.user_id IS NOT NULL)
