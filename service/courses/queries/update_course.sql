-- $1: course, $2 to $9: its terms, $10: now. One that was archived is back.
UPDATE courses
SET
    title = $2, time_zone = $3, skip_policy = $4, credit_window_months = $5, credit_cap_permille = $6,
    credit_includes_flagged = $7, renewal_months = $8, renewal_lead_days = $9, updated_at = $10, archived_at = NULL
WHERE course = $1
