-- $1: attempts. What they are credited, and was not taken back.
SELECT attempt, lesson, revision, seen, created_at
FROM credits
WHERE attempt = ANY ($1::bigint[]) AND taken_back_at IS NULL
