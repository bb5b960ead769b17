-- $1 and $2: the first place of a page, and of the next one.
SELECT user_id, partition, events FROM users WHERE ctid >= $1::text::tid AND ctid < $2::text::tid
