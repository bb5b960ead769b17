-- $1: a flusher's name, $2: partitions. Those of them that it holds.
SELECT partition, epoch FROM checkpoints WHERE holder = $1 AND partition = ANY ($2::smallint[])
