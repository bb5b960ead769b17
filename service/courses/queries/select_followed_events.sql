-- $1: partition, $2 to $4: entry and ordinal after which, $5 to $7: those up to which.
-- Events of movies that are or were a lesson's, in the order in which they were applied.
SELECT
    e.user_id, e.slug, e.session, e.kind, e.at_ms, e.from_ms, e.segments, e.speed, e.timed, e.happened_at,
    e.credited_ms, e.implausible_ms, e.scope
FROM events AS e
CROSS JOIN LATERAL (SELECT FROM lesson_revisions WHERE lesson_revisions.slug = e.slug LIMIT 1) AS r
WHERE
    e.partition = $1::smallint AND (e.entry_ms, e.entry_seq, e.ordinal) > ($2, $3, $4::smallint)
    AND (e.entry_ms, e.entry_seq, e.ordinal) <= ($5, $6, $7::smallint) AND e.kind <> 'cut'
ORDER BY e.entry_ms, e.entry_seq, e.ordinal
