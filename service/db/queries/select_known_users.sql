-- $1: users. Those of them of whom there is anything.
SELECT asked.user_id
FROM unnest($1::text[]) AS asked (user_id)
WHERE EXISTS (SELECT FROM users WHERE users.user_id = asked.user_id)
    OR EXISTS (SELECT FROM events WHERE events.user_id = asked.user_id)
