-- $1 to $5: of each range its attempt, lesson, revision, part, last scope.
UPDATE attempt_scopes AS s
SET scope_last = ended.scope_last
FROM
    unnest($1::bigint[], $2::text[], $3::int[], $4::int[], $5::int[])
    AS ended (attempt, lesson, revision, part, scope_last)
WHERE
    s.attempt = ended.attempt AND s.lesson = ended.lesson AND s.revision = ended.revision AND s.part = ended.part
