-- Writes snapshots of sessions, each only over an older one. $1: of the type session_snapshot, in its order.
INSERT INTO sessions AS stored (
    user_id, slug, session, name_digest, partition, position_ms, time_us, since_us, playing, speed,
    credited_ms, seq_max, seq_base, seq_window, version_ms, version_seq
)
SELECT * FROM unnest($1::session_snapshot[])
ON CONFLICT (user_id, name_digest) DO UPDATE SET
    position_ms = excluded.position_ms,
    time_us = excluded.time_us,
    since_us = excluded.since_us,
    playing = excluded.playing,
    speed = excluded.speed,
    credited_ms = excluded.credited_ms,
    seq_max = excluded.seq_max,
    seq_base = excluded.seq_base,
    seq_window = excluded.seq_window,
    version_ms = excluded.version_ms,
    version_seq = excluded.version_seq,
    updated_at = now()
WHERE (stored.version_ms, stored.version_seq) < (excluded.version_ms, excluded.version_seq)
