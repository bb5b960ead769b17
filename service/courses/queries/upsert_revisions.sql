-- $1 to $4: of each lesson its name, revision, slug, duration, $5: now. A duration may be corrected.
INSERT INTO lesson_revisions (lesson, revision, slug, duration_ms, made_at)
SELECT lesson, revision, slug, duration_ms, $5
FROM unnest($1::text[], $2::int[], $3::text[], $4::int[]) AS put (lesson, revision, slug, duration_ms)
ON CONFLICT (lesson, revision) DO UPDATE
SET duration_ms = excluded.duration_ms
WHERE lesson_revisions.duration_ms <> excluded.duration_ms
