-- $1: stint, $2 to $5: of each assignment its course, user, which attempt that is, and whether it was opened for it.
UPDATE staged_stints AS t
SET attempt = found.attempt, is_opened = found.is_opened
FROM unnest($2::text[], $3::text[], $4::bigint[], $5::boolean[]) AS found (course, user_id, attempt, is_opened)
WHERE t.stint = $1 AND t.course = found.course AND t.user_id = found.user_id
