-- $1: attempts. How many cells of each video each is credited; no two credits of a video have the same cell.
SELECT attempt, lesson, revision, sum(seen_cells)::int AS seen_cells
FROM credits
WHERE attempt = ANY ($1::bigint[]) AND taken_back_at IS NULL
GROUP BY attempt, lesson, revision
