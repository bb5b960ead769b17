-- $1: user, $2: slug. The pair's sessions, the latest first.
SELECT
    session, position_ms, time_us, since_us, playing, speed, credited_ms,
    seq_max, seq_base, seq_window, version_ms, version_seq, updated_at
FROM sessions
WHERE user_id = $1 AND slug = $2
ORDER BY time_us DESC, session
