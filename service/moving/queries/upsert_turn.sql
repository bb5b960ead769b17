-- $1: who answers reads in the old shapes, $2: from when on.
INSERT INTO moving (is_one, reads, switched_at)
VALUES (TRUE, $1, $2)
ON CONFLICT (is_one) DO UPDATE SET reads = excluded.reads, switched_at = excluded.switched_at
