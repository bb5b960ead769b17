-- The counters that a run touches: read once before its events, written once after them.

local AT_ONCE = 4000 -- what Lua's stack takes of one command and its reply, with room

-- The values of these keys, or of these fields of a hash: false where there is none.
local function read_many(names, hash)
  if #names <= AT_ONCE then
    return hash and redis.call('HMGET', hash, unpack(names)) or redis.call('MGET', unpack(names))
  end
  local found = {}
  for first = 1, #names, AT_ONCE do
    local last = math.min(first + AT_ONCE - 1, #names)
    local some = hash and redis.call('HMGET', hash, unpack(names, first, last))
      or redis.call('MGET', unpack(names, first, last))
    for i = 1, #some do found[first + i - 1] = some[i] end
  end
  return found
end

-- Users and movies, in one command. Gives the records of users who are not new, for those who want them.
local function load_users(run, tag, has_evicted)
  local keys, users = {}, #run.names
  for i, name in ipairs(run.names) do keys[i] = user_key(tag, name) end
  for i, slug in ipairs(run.slugs) do keys[users + i] = movie_key(tag, slug) end
  local records = #keys > 0 and read_many(keys) or {}
  run.users, run.movies = {}, {}
  for i, name in ipairs(run.names) do
    local user = read_user_record(name, records[i])
    user.absent = has_evicted and not records[i]
    run.users[i] = user
  end
  for i, slug in ipairs(run.slugs) do run.movies[i] = read_movie_record(slug, records[users + i]) end
  return records
end

-- Pairs and sessions that their users are not at just now are in the users' hashes: one HMGET for each such user. Each
-- of `wanted` is a list of fields by user; gives the records in the same way.
local function load_others(run, tag, wanted)
  local found = {}
  for i, fields in pairs(wanted) do found[i] = read_many(fields, pairs_key(tag, run.names[i])) end
  return found
end

local function want(wanted, i, field)
  local fields = wanted[i]
  if not fields then
    wanted[i] = { field }
    return 1
  end
  fields[#fields + 1] = field
  return #fields
end

-- Makes `run.pairs` and `run.sessions`: what the user is at, or what its hash has, or new ones. A user who has only what
-- it is at, and a new one, has no hash to be asked.
local function load_pairs(run, tag)
  local wanted, pair_places, session_places = {}, {}, {}
  local at_pair, at_session = {}, {}
  for p, u in ipairs(run.pair_users) do
    local at = run.users[u + 1].at
    if at and at.pair.slug == run.slugs[run.pair_movies[p] + 1] then
      at_pair[p] = at.pair
    elseif at or run.users[u + 1].movies > 0 then
      pair_places[p] = want(wanted, u + 1, pair_field(run.slugs[run.pair_movies[p] + 1]))
    end
  end
  for s, p in ipairs(run.session_pairs) do
    local u = run.pair_users[p + 1] + 1
    local at = run.users[u].at
    if at_pair[p + 1] and at.name == run.session_names[s] then
      at_session[s] = at
    elseif at or run.users[u].movies > 0 then
      session_places[s] = want(wanted, u, session_field(run.slugs[run.pair_movies[p + 1] + 1], run.session_names[s]))
    end
  end
  local found = load_others(run, tag, wanted)
  run.pairs, run.sessions = {}, {}
  for p, u in ipairs(run.pair_users) do
    local slug = run.slugs[run.pair_movies[p] + 1]
    local pair = at_pair[p] or read_pair_record(slug, pair_places[p] and found[u + 1][pair_places[p]])
    pair.user, pair.movie = run.users[u + 1], run.movies[run.pair_movies[p] + 1]
    run.pairs[p] = pair
  end
  for s, p in ipairs(run.session_pairs) do
    local record = session_places[s] and found[run.pair_users[p + 1] + 1][session_places[s]]
    run.sessions[s] = at_session[s] or read_session_record(run.session_names[s], run.pairs[p + 1], record)
  end
end

-- Once a partition has evicted anybody, whoever is not here may be in Postgres: `absent` until brought in (admit.lua).
local function load_counters(run, tag, has_evicted)
  load_users(run, tag, has_evicted)
  load_pairs(run, tag)
end

-- What goes into a user's hash, and the latest moments of its pairs: `others[user]` is {fields, moments}.
local function others_of(others, user)
  local found = others[user]
  if not found then
    found = { {}, {} }
    others[user] = found
  end
  return found
end

local function put_pair(tag, others, user, pair)
  flush_tail(pair, coverage_key(tag, user.name, pair.slug))
  local found = others_of(others, user)
  local fields, moments = found[1], found[2]
  fields[#fields + 1], fields[#fields + 2] = pair_field(pair.slug), pack_pair(pair)
  moments[#moments + 1], moments[#moments + 2] = string.format('%.0f', pair.latest_us), pair.slug
end

local function put_session(others, user, session)
  local fields = others_of(others, user)[1]
  fields[#fields + 1], fields[#fields + 2] = session_field(session.pair.slug, session.name), pack_session(session)
end

local function write_others(tag, others)
  for user, found in pairs(others) do
    redis.call('HSET', pairs_key(tag, user.name), unpack(found[1]))
    if #found[2] > 0 then redis.call('ZADD', recent_key(tag, user.name), unpack(found[2])) end
  end
end

-- Writes what changed: all users and movies in one MSET, and of those who turned to another movie or session what they
-- left. `appended` is the log's count with this run.
local function save_counters(run, tag, appended)
  local records, n, others = {}, 0, {}
  for _, user in ipairs(run.users) do
    if user.moved_to then
      local before = user.at
      if before and before ~= user.moved_to then
        put_session(others, user, before)
        if before.pair ~= user.moved_to.pair then put_pair(tag, others, user, before.pair) end
      end
      user.appended = appended
      records[n + 1], records[n + 2] = user_key(tag, user.name), pack_user(user, user.moved_to)
      n = n + 2
    end
  end
  for _, pair in ipairs(run.pairs) do
    local user = pair.user
    if pair.changed and pair ~= user.moved_to.pair and not (user.at and pair == user.at.pair) then
      put_pair(tag, others, user, pair)
    end
  end
  for _, session in ipairs(run.sessions) do
    local user = session.pair.user
    if session.changed and session ~= user.moved_to and session ~= user.at then put_session(others, user, session) end
  end
  for _, movie in ipairs(run.movies) do
    if movie.changed then
      records[n + 1], records[n + 2] = movie_key(tag, movie.slug), pack_movie(movie)
      n = n + 2
    end
  end
  write_others(tag, others)
  redis.call('MSET', unpack(records))
end
