-- $1: attempt, $2: user, $3: now, $4: by whom or NULL, $5 to $7: the policy, $8 and $9: its window,
-- $10 to $13: of each credit lesson, revision, cells as a bitmap and how many. Gives their numbers.
INSERT INTO credits (
    attempt, user_id, created_at, created_by, window_months, cap_permille, includes_flagged, since_at, until_at,
    lesson, revision, seen, seen_cells
)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, given.*
FROM unnest($10::text[], $11::int[], $12::bytea[], $13::int[]) AS given
RETURNING credit, lesson
