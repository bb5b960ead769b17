-- The courses with a rule of renewal.
SELECT course, time_zone, renewal_months, renewal_lead_days
FROM courses
WHERE renewal_months IS NOT NULL AND archived_at IS NULL
ORDER BY course
