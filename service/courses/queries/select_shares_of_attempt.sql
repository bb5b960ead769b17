-- $1: attempt, $2: how many. What it is credited, and was not taken back, session by session.
SELECT c.lesson, c.revision, c.credit, s.session, s.first_at, s.last_at, s.seen
FROM credits AS c
JOIN credit_shares AS s ON s.credit = c.credit
WHERE c.attempt = $1 AND c.taken_back_at IS NULL
ORDER BY c.credit, s.place
LIMIT $2
