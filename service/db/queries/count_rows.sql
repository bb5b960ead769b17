-- $1: user, $2: slug. How many raw events of the pair are kept.
SELECT count(*) FROM events WHERE user_id = $1 AND slug = $2
