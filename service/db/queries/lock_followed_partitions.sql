-- $1: partitions. Nobody follows their raw events until the transaction ends: what is being followed is waited for.
SELECT partition FROM followed WHERE partition = ANY ($1::smallint[]) ORDER BY partition FOR UPDATE
