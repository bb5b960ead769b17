-- A run: events of one partition, packed by service/counters/packing.py. Users and movies are named once, and events refer
-- to them by place: a run is parsed without making a table an event, and Redis is asked once a run, not once an event.

-- user and movie, kind, timed, at_ms, from_ms, speed, duration_ms (no business of counters), time_us, received_us, seq,
-- session, id, how many segments: those follow
local EVENT = '>I2I2I1I1I4I4I2I4I8I8I8I2c0I2c0I2'
local SEGMENT_BYTES = 8

local TEXTS_AT_ONCE = 200 -- what Lua's stack takes

-- Many at once: a call for each would cost more than it does.
local function read_texts(blob, offset, count)
  local texts = { struct_unpack('>' .. string.rep('I2c0', math.min(count, TEXTS_AT_ONCE)), blob, offset) }
  offset = table.remove(texts)
  while #texts < count do
    local some
    some, offset = read_texts(blob, offset, math.min(count - #texts, TEXTS_AT_ONCE))
    for i = 1, #some do texts[#texts + 1] = some[i] end
  end
  return texts, offset
end

-- Reads the tables of a run: `size` is how many events it has, `offset` where the first one begins. What is loaded for it
-- (include/counters.lua) is by place, and false or empty so far.
local function open_run(blob)
  local users, movies, size, offset = struct_unpack('>I2I2I2', blob)
  local names, slugs
  names, offset = read_texts(blob, offset, users)
  slugs, offset = read_texts(blob, offset, movies)
  return {
    blob = blob, size = size, offset = offset, names = names, slugs = slugs, tag = false, stream_key = false,
    log_key = false, wanted = '', keys = false, keys_at = false, strides = {}, records = {}, went_on = {}, users = {},
    movies = {}, pairs = {}, sessions = {}, scopes = {}, has_evicted = false, appended = false, has_counted = false,
    outcomes = false, refusal = false,
  }
end

-- Reads what names some counters: users, movies, pairs as places of these, sessions as places of pairs and names.
local function open_names(blob, tag)
  local users, movies, pairs, sessions, offset = struct_unpack('>I2I2I2I2', blob)
  local names, slugs
  names, offset = read_texts(blob, offset, users)
  slugs, offset = read_texts(blob, offset, movies)
  local pair_users, pair_movies, session_pairs, session_names = {}, {}, {}, {}
  for i = 1, pairs do pair_users[i], pair_movies[i], offset = struct_unpack('>I2I2', blob, offset) end
  for i = 1, sessions do session_pairs[i], session_names[i], offset = struct_unpack('>I2I2c0', blob, offset) end
  return {
    blob = blob, names = names, slugs = slugs, tag = tag, wanted = '', keys = false, keys_at = false,
    strides = {}, records = {}, has_evicted = false, users = {}, movies = {},
    pairs = {}, sessions = {}, pair_users = pair_users, pair_movies = pair_movies, session_pairs = session_pairs,
    session_names = session_names,
  }
end
