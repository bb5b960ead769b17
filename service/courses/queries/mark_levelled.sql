-- $1: attempts whose ranges have followed.
UPDATE attempts SET is_levelled = true WHERE attempt = ANY ($1::bigint[]) AND NOT is_levelled
