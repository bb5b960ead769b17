-- The counters that a run touches: read once before its events, written once after them.

-- Names the keys of a run. They come as: stream, log, call, then three a user, one a movie, one a pair.
local function bind_keys(run, keys, first)
  local slot = first
  for _, user in ipairs(run.users) do
    user.key, user.recent_key, user.ids_key = keys[slot], keys[slot + 1], keys[slot + 2]
    slot = slot + 3
  end
  for _, movie in ipairs(run.movies) do
    movie.key = keys[slot]
    slot = slot + 1
  end
  for _, pair in ipairs(run.pairs) do
    pair.coverage_key = keys[slot]
    slot = slot + 1
  end
end

-- The fields to read of each user's hash, and whose they are.
local function fields_by_user(run)
  local fields, owners = {}, {}
  for i, user in ipairs(run.users) do
    fields[i], owners[i] = { TOTALS_FIELD }, { user }
  end
  for _, pair in ipairs(run.pairs) do
    pair.field = pair_field(run.movies[pair.movie].slug)
    local n = #fields[pair.user] + 1
    fields[pair.user][n], owners[pair.user][n] = pair.field, pair
  end
  for _, session in ipairs(run.sessions) do
    local pair = run.pairs[session.pair]
    session.field = session_field(run.movies[pair.movie].slug, session.name)
    local n = #fields[pair.user] + 1
    fields[pair.user][n], owners[pair.user][n] = session.field, session
  end
  return fields, owners
end

local READ_AT_ONCE = 4000 -- what Lua's stack takes of one command and its reply, with room

-- Reads the fields of a hash, or without one the strings of these names, into the `record` of their owners: false where
-- there is none.
local function read_into(owners, names, hash)
  for first = 1, #names, READ_AT_ONCE do
    local last = math.min(first + READ_AT_ONCE - 1, #names)
    local records = hash and redis.call('HMGET', hash, unpack(names, first, last))
      or redis.call('MGET', unpack(names, first, last))
    for n = 1, #records do owners[first + n - 1].record = records[n] end
  end
end

-- Reads the records of a run: one HMGET a user, one MGET for all movies, or several where they are thousands.
local function read_records(run)
  local fields, owners = fields_by_user(run)
  for i, user in ipairs(run.users) do read_into(owners[i], fields[i], user.key) end
  local movie_keys = {}
  for i, movie in ipairs(run.movies) do movie_keys[i] = movie.key end
  read_into(run.movies, movie_keys)
end

-- Once a partition has evicted anybody, whoever is not here may be in Postgres: `absent` until brought in (admit.lua).
local function load_counters(run, has_evicted)
  read_records(run)
  for _, user in ipairs(run.users) do
    user.counters = unpack_user(user.record)
    user.absent = has_evicted and not user.record
  end
  for _, movie in ipairs(run.movies) do movie.counters = unpack_movie(movie.record) end
  for _, pair in ipairs(run.pairs) do pair.counters = unpack_pair(pair.record) end
  for _, session in ipairs(run.sessions) do session.state = unpack_session(session.record) end
end

-- Writes what changed: one HSET and one ZADD a user, one MSET for all movies. `appended` is the log's count with this run.
local function save_counters(run, appended)
  local fields, moments = {}, {}
  for i, user in ipairs(run.users) do
    fields[i], moments[i] = {}, {}
    if user.changed then
      user.counters.appended = appended
      fields[i] = { TOTALS_FIELD, pack_user(user.counters) }
    end
  end
  for _, pair in ipairs(run.pairs) do
    if pair.changed then
      local to, moment = fields[pair.user], moments[pair.user]
      to[#to + 1], to[#to + 2] = pair.field, pack_pair(pair.counters)
      moment[#moment + 1], moment[#moment + 2] =
        string.format('%.0f', pair.counters.latest_us), run.movies[pair.movie].slug
    end
  end
  for _, session in ipairs(run.sessions) do
    if session.changed then
      local to = fields[run.pairs[session.pair].user]
      to[#to + 1], to[#to + 2] = session.field, pack_session(session.state)
    end
  end
  for i, user in ipairs(run.users) do
    if user.changed then
      redis.call('HSET', user.key, unpack(fields[i]))
      redis.call('ZADD', user.recent_key, unpack(moments[i]))
    end
  end
  local movies = {}
  for _, movie in ipairs(run.movies) do
    if movie.changed then
      movies[#movies + 1], movies[#movies + 2] = movie.key, pack_movie(movie.counters)
    end
  end
  if #movies > 0 then redis.call('MSET', unpack(movies)) end
end
