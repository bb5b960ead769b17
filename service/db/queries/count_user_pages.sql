-- How many pages the table has.
SELECT pg_relation_size('users') / current_setting('block_size')::bigint
