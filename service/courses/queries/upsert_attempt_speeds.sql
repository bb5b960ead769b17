-- $1: attempts. How long each watched at which speed, from what its sessions did.
INSERT INTO attempt_speeds (attempt, lesson, revision, speed, watch_ms, effective_ms)
SELECT s.attempt, s.lesson, s.revision, v.speed, sum(v.watch_ms), sum(v.effective_ms)
FROM attempt_scopes AS s
JOIN viewing_speeds AS v
    ON v.user_id = s.user_id AND v.slug_digest = s.slug_digest
    AND v.scope >= s.scope_first AND v.scope <= coalesce(s.scope_last, v.scope)
WHERE s.attempt = ANY ($1::bigint[]) AND v.watch_ms > 0
GROUP BY s.attempt, s.lesson, s.revision, v.speed
ORDER BY s.attempt, s.lesson, s.revision, v.speed
ON CONFLICT (attempt, lesson, revision, speed) DO UPDATE
SET watch_ms = excluded.watch_ms, effective_ms = excluded.effective_ms
WHERE (attempt_speeds.watch_ms, attempt_speeds.effective_ms) <> (excluded.watch_ms, excluded.effective_ms)
