-- $1: attempt, $2: how many. What was played in its scopes, by session and speed.
SELECT s.lesson, s.revision, v.speed, v.watch_ms, v.effective_ms, v.seen
FROM attempt_scopes AS s
JOIN viewing_speeds AS v
    ON v.user_id = s.user_id AND v.slug_digest = s.slug_digest
    AND v.scope >= s.scope_first AND v.scope <= coalesce(s.scope_last, v.scope)
WHERE s.attempt = $1
LIMIT $2
