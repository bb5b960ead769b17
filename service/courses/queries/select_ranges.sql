-- $1: attempts. All of their ranges.
SELECT attempt, lesson, revision, part, slug, scope_first, scope_last
FROM attempt_scopes
WHERE attempt = ANY ($1::bigint[])
