-- $1 and $2: courses and users. Whoever changes an assignment or its attempts locks it first, in this order.
-- Attempts are read by another statement: this one waits, and would show them as they were before.
SELECT a.course, a.user_id, a.unassigned_at
FROM unnest($1::text[], $2::text[]) AS wished (course, user_id)
JOIN assignments AS a ON a.course = wished.course AND a.user_id = wished.user_id
ORDER BY a.course, a.user_id
FOR NO KEY UPDATE OF a
