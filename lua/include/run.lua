-- A run: events of one partition, packed by service/counters/packing.py. Names come once, in tables, and events refer
-- to them by place: a run is parsed without making a table an event, and Redis is asked once a run, not once an event.

-- Reads the tables of a run. Gives the run with `size` (how many events) and `offset` (where the first one begins).
local function open_run(blob)
  local unpack_at = struct.unpack
  local users, movies, pairs, sessions, size, offset = unpack_at('>I2I2I2I2I2', blob)
  local names, slugs, pair_users, pair_movies, session_pairs, session_names = {}, {}, {}, {}, {}, {}
  for i = 1, users do names[i], offset = unpack_at('>I2c0', blob, offset) end
  for i = 1, movies do slugs[i], offset = unpack_at('>I2c0', blob, offset) end
  for i = 1, pairs do pair_users[i], pair_movies[i], offset = unpack_at('>I2I2', blob, offset) end
  for i = 1, sessions do session_pairs[i], session_names[i], offset = unpack_at('>I2I2c0', blob, offset) end
  return {
    blob = blob, size = size, offset = offset, names = names, slugs = slugs, pair_users = pair_users,
    pair_movies = pair_movies, session_pairs = session_pairs, session_names = session_names,
    users = false, movies = false, pairs = false, sessions = false,
  }
end
