-- $1 to $10: of each user lesson its id, course, user, points, time, id and position of the last one, by what they are
-- known, seq of the last event, and whether what it says itself was brought in. Not of who was erased meanwhile.
INSERT INTO imported_lessons (
    user_lesson, course, user_id, points, last_us, last_point, position_ms, known, seq, is_told
)
SELECT c.*
FROM
    unnest(
        $1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::int[], $8::bytea[], $9::bigint[],
        $10::boolean[]
    ) AS c (user_lesson, course, user_id, points, last_us, last_point, position_ms, known, seq, is_told)
JOIN assignments AS a ON a.course = c.course AND a.user_id = c.user_id
ON CONFLICT (user_lesson) DO UPDATE
SET
    points = excluded.points, last_us = excluded.last_us, last_point = excluded.last_point,
    position_ms = excluded.position_ms, known = excluded.known, seq = excluded.seq, is_told = excluded.is_told
