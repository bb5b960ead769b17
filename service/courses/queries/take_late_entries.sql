-- $1: partition. Entries whose rows came after following had passed them; they are taken to be followed now.
DELETE FROM late_entries WHERE partition = $1::smallint RETURNING entry_ms, entry_seq
