-- A run: events of one partition, packed by service/counters/packing.py. Names come once, in tables, and events refer
-- to them by place: a run is parsed without making a table an event, and Redis is asked once a user, not once an event.

-- Reads the tables of a run. Gives the run with `events` (how many) and `offset` (where the first event begins).
local function open_run(blob)
  local unpack_at = struct.unpack
  local users, movies, pairs, sessions, events, offset = unpack_at('>I2I2I2I2I2', blob)
  local run = { blob = blob, events = events, users = {}, movies = {}, pairs = {}, sessions = {} }
  for i = 1, users do
    local name
    name, offset = unpack_at('>I2c0', blob, offset)
    run.users[i] = {
      name = name, key = '', recent_key = '', ids_key = '', record = false, counters = false, changed = false,
      absent = false,
    }
  end
  for i = 1, movies do
    local slug
    slug, offset = unpack_at('>I2c0', blob, offset)
    run.movies[i] = { slug = slug, key = '', record = false, counters = false, changed = false }
  end
  for i = 1, pairs do
    local user, movie
    user, movie, offset = unpack_at('>I2I2', blob, offset)
    run.pairs[i] = {
      user = user + 1, movie = movie + 1, coverage_key = '', field = '', record = false, counters = false,
      changed = false, may_verify = false,
    }
  end
  for i = 1, sessions do
    local pair, name
    pair, name, offset = unpack_at('>I2I2c0', blob, offset)
    run.sessions[i] = {
      pair = pair + 1, name = name, field = '', record = false, state = false, changed = false,
    }
  end
  run.offset = offset
  return run
end

-- The fields of a user's hash: totals, pairs and sessions. The slug's length keeps slugs and session names apart.
local TOTALS_FIELD = 't'

local function pair_field(slug)
  return 'm:' .. slug
end

local function session_field(slug, session)
  return 's:' .. #slug .. ':' .. slug .. session
end
