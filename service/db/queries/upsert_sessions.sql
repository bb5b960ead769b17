-- Writes snapshots of sessions, each only over an older one. An array a column, in the order of the columns.
INSERT INTO sessions AS stored (
    user_id, slug, session, partition, position_ms, time_us, since_us, playing, speed, credited_ms,
    seq_max, seq_base, seq_window, name_digest, version_ms, version_seq
)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::smallint[], $5::int[], $6::bigint[], $7::bigint[],
    $8::boolean[], $9::smallint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bytea[],
    $14::bytea[], $15::bigint[], $16::bigint[]
)
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
