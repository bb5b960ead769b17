-- $1: attempts, $2 and $3: lessons, and the video of each that counts unless another one was completed. What they have
-- of these together, by lesson and video; of each attempt and lesson one record.
SELECT
    one.lesson, one.revision, count(*) AS records, count(one.completed_at) AS completed,
    sum(one.seen_cells)::bigint AS seen_cells, coalesce(sum(c.seen_cells), 0)::bigint AS credited_cells
FROM (
    SELECT DISTINCT ON (a.attempt, a.lesson) a.attempt, a.lesson, a.revision, a.seen_cells, a.completed_at
    FROM attempt_lessons AS a
    JOIN unnest($2::text[], $3::int[]) AS wanted (lesson, revision) ON wanted.lesson = a.lesson
    WHERE a.attempt = ANY ($1::bigint[]) AND (a.completed_at IS NOT NULL OR a.revision = wanted.revision)
    ORDER BY a.attempt, a.lesson, a.completed_at, a.revision DESC
) AS one
LEFT JOIN (
    SELECT attempt, lesson, revision, sum(seen_cells) AS seen_cells
    FROM credits
    WHERE attempt = ANY ($1::bigint[]) AND taken_back_at IS NULL
    GROUP BY attempt, lesson, revision
) AS c ON c.attempt = one.attempt AND c.lesson = one.lesson AND c.revision = one.revision
GROUP BY one.lesson, one.revision
