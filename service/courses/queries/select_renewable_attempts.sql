-- $1: course, $2: the moment before which they were completed, $3: how many. The earliest first. Not while an import
-- brings in what was watched before: that has to count for the attempt which it was watched for.
SELECT attempt, course, user_id, number, completed_at
FROM attempts
WHERE
    course = $1 AND closed_at IS NULL AND completed_at < $2
    AND NOT EXISTS (
        SELECT FROM staged_stints
        WHERE staged_stints.course = attempts.course AND staged_stints.user_id = attempts.user_id
    )
ORDER BY completed_at
LIMIT $3
