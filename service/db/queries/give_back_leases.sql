-- $1: a flusher's name, $2: the partitions that it keeps. Answers those that it held besides.
UPDATE checkpoints SET holder = NULL, updated_at = now()
WHERE holder = $1 AND partition <> ALL ($2::smallint[])
RETURNING partition
