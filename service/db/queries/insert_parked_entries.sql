-- $1: partitions, $2 and $3: stream ids, $4: runs, $5: outcomes, $6: `appended`, $7: events, $8: reasons, $9: details.
INSERT INTO parked_entries (partition, entry_ms, entry_seq, run, outcomes, appended, events, reason, detail)
SELECT * FROM unnest(
    $1::smallint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bigint[], $7::int[], $8::text[], $9::text[]
)
