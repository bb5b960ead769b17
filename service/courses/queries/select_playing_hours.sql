-- $1 and $2: users and hours. When whichever of their sessions played.
SELECT h.user_id, h.hour, h.name_digest, h.seconds
FROM unnest($1::text[], $2::int[]) AS asked (user_id, hour)
CROSS JOIN LATERAL (
    SELECT * FROM playing_hours WHERE playing_hours.user_id = asked.user_id AND playing_hours.hour = asked.hour
) AS h
