-- $1: team. Its members are members no more.
DELETE FROM teams WHERE team = $1
