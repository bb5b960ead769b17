-- $1: course, $2 to $9: its terms, $10: now.
INSERT INTO courses (
    course, title, time_zone, skip_policy, credit_window_months, credit_cap_permille, credit_includes_flagged,
    renewal_months, renewal_lead_days, created_at, updated_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
ON CONFLICT (course) DO NOTHING
