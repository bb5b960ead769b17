-- $1: credit. In the order in which they were credited.
SELECT slug, session, scope, first_at, last_at, seen FROM credit_shares WHERE credit = $1 ORDER BY place
