-- $1: users.
SELECT
    user_id, slug, session, position_ms, time_us, since_us, playing, speed, credited_ms,
    seq_max, seq_base, seq_window, version_ms, version_seq
FROM sessions
WHERE user_id = ANY ($1::text[])
