-- $1: courses. Whoever is putting one of these is waited for, and nobody puts one until the transaction ends.
SELECT course FROM courses WHERE course = ANY ($1::text[]) ORDER BY course FOR KEY SHARE
