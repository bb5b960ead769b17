-- $1: course, $2 to $7: of each lesson its name, slug, title, duration, threshold, revision. In their order.
-- Gives no row for one that another course has.
INSERT INTO lessons (course, lesson, slug, title, duration_ms, threshold_permille, revision, place)
SELECT $1, lesson, slug, title, duration_ms, threshold_permille, revision, place - 1
FROM
    unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::smallint[], $7::int[])
    WITH ORDINALITY AS put (lesson, slug, title, duration_ms, threshold_permille, revision, place)
ORDER BY lesson
ON CONFLICT (lesson) DO UPDATE
SET
    slug = excluded.slug, title = excluded.title, duration_ms = excluded.duration_ms,
    threshold_permille = excluded.threshold_permille, revision = excluded.revision, place = excluded.place,
    removed_at = NULL
WHERE lessons.course = excluded.course
RETURNING lesson
