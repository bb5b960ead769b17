-- $1: lessons. When each became what it is, and whether one of its earlier videos was the same movie.
SELECT
    l.lesson, v.made_at,
    EXISTS (
        SELECT
        FROM lesson_revisions AS earlier
        WHERE earlier.lesson = l.lesson AND earlier.revision < l.revision AND earlier.slug = l.slug
    ) AS is_known_movie
FROM lessons AS l
CROSS JOIN LATERAL (
    SELECT made_at
    FROM lesson_revisions
    WHERE lesson_revisions.lesson = l.lesson AND lesson_revisions.revision = l.revision
    LIMIT 1
) AS v
WHERE l.lesson = ANY ($1::text[])
