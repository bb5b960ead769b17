-- $1 to $4: of each range its attempt, lesson, revision, part.
DELETE FROM attempt_scopes AS s
USING
    unnest($1::bigint[], $2::text[], $3::int[], $4::int[])
    AS gone (attempt, lesson, revision, part)
WHERE s.attempt = gone.attempt AND s.lesson = gone.lesson AND s.revision = gone.revision AND s.part = gone.part
