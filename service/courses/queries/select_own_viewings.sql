-- $1: attempts. What each watched itself, by session and video.
SELECT s.attempt, s.lesson, s.revision, v.first_at, v.last_at, v.watch_ms, v.effective_ms, v.seen
FROM attempt_scopes AS s
JOIN viewings AS v
    ON v.user_id = s.user_id AND v.slug_digest = s.slug_digest
    AND v.scope >= s.scope_first AND v.scope <= coalesce(s.scope_last, v.scope)
WHERE s.attempt = ANY ($1::bigint[])
