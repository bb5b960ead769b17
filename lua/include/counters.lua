-- The counters that a run touches: users and movies are read once before its events and written once after them. A user
-- is a table only where an event needs more than its record (include/steady.lua); pairs and sessions that a user is not
-- at are fetched where an event is of them.

local AT_ONCE = 4000 -- what Lua's stack takes of one command and its reply, with room

-- The values of these keys: false where there is none.
local function read_many(keys)
  if #keys == 0 then return {} end
  if #keys <= AT_ONCE then return redis_call('MGET', unpack(keys)) end
  local found = {}
  for first = 1, #keys, AT_ONCE do
    local some = redis_call('MGET', unpack(keys, first, math.min(first + AT_ONCE - 1, #keys)))
    for i = 1, #some do found[first + i - 1] = some[i] end
  end
  return found
end

-- A user's record with its stride before it; false where there is none.
local function get_user(tag, name)
  local found = redis_call('MGET', stride_key(tag, name), user_key(tag, name))
  return found[2] and (found[1] or '') .. found[2]
end

-- Spells the keys of a run, behind `keys`: strides, movies, and users' records where those are wanted at once. The run knows
-- where they are.
local function spell_keys(run, keys, wants_users)
  local names, slugs, users, movies, at = run.names, run.slugs, #run.names, #run.slugs, #keys
  local stride_prefix, movie_prefix = stride_key(run.tag, ''), movie_key(run.tag, '')
  run.keys, run.keys_at = keys, at
  for i = 1, users do keys[at + i] = stride_prefix .. names[i] end
  for i = 1, movies do keys[at + users + i] = movie_prefix .. slugs[i] end
  if wants_users then
    local user_prefix = user_key(run.tag, '')
    for i = 1, users do keys[at + users + movies + i] = user_prefix .. names[i] end
  end
end

-- Takes what was found of a run; who has no stride is noted in `lacking`.
local function take_found(run, found, wants_users, lacking)
  local slugs, users, movies, at = run.slugs, #run.names, #run.slugs, run.keys_at
  local strides, records = run.strides, run.records
  for i = 1, users do
    local stride = found[at + i]
    strides[i] = stride
    if wants_users then
      records[i] = found[at + users + movies + i]
    elseif not stride then
      lacking[#lacking + 1] = { run, i }
    end
  end
  for i = 1, movies do run.movies[i] = read_movie_record(slugs[i], found[at + users + i]) end
end

-- Reads movies, and of users their strides: with those most events need no more. Users who have none with their records, and
-- all users of a run of which states are wanted. Once a partition has evicted anybody, whoever is not here may be in
-- Postgres: `absent` until brought in (admit.lua).
local function load_records(runs, wants_users)
  local keys, lacking = {}, {}
  for _, run in ipairs(runs) do spell_keys(run, keys, wants_users or run.wanted ~= '') end
  local found = read_many(keys)
  for _, run in ipairs(runs) do take_found(run, found, wants_users or run.wanted ~= '', lacking) end
  if #lacking == 0 then return end
  keys = {}
  for n, one in ipairs(lacking) do keys[n] = user_key(one[1].tag, one[1].names[one[2]]) end
  found = read_many(keys)
  for n, one in ipairs(lacking) do one[1].records[one[2]] = found[n] end
end

-- A user's record with its stride, by place; false where there is none.
local function record_of(run, tag, place)
  local stride, record = run.strides[place], run.records[place]
  if record == nil then
    record = redis_call('GET', user_key(tag, run.names[place]))
    run.records[place] = record
  end
  return record and (stride or '') .. record
end

local function user_of(run, tag, place)
  local user = run.users[place]
  if not user then
    local record = record_of(run, tag, place)
    user = read_user_record(run.names[place], record)
    user.absent = run.has_evicted and not record
    run.users[place] = user
  end
  return user
end

local function add_pair(run, user, slug, record)
  local pair = read_pair_record(slug, record)
  pair.user, user.pairs[slug], run.pairs[#run.pairs + 1] = user, pair, pair
  return pair
end

-- A user who has only what it is at, and a new one, has no hash to be asked.
local function has_hash(user)
  return user.at or user.movies > 0
end

-- A session of a user's pair: what the user is at, what the run had already, what the hash has, or a new one.
local function open_session(run, tag, user, slug, name)
  local pair = user.pairs[slug]
  local session = pair and pair.sessions[name]
  if session then return session end
  local found = has_hash(user)
    and redis_call('HMGET', pairs_key(tag, user.name), pair_field(slug), session_field(slug, name)) or {}
  pair = pair or add_pair(run, user, slug, found[1])
  session = read_session_record(name, pair, found[2])
  pair.sessions[name], run.sessions[#run.sessions + 1] = session, session
  return session
end

-- The same for a pair.
local function open_pair(run, tag, user, slug)
  local pair = user.pairs[slug]
  if pair then return pair end
  return add_pair(run, user, slug, has_hash(user) and redis_call('HGET', pairs_key(tag, user.name), pair_field(slug)))
end

-- A user's pair, or false.
local function find_pair(tag, user, slug)
  if user.at and user.at.pair.slug == slug then return user.at.pair end
  local record = redis.call('HGET', pairs_key(tag, user.name), pair_field(slug))
  return record and read_pair_record(slug, record)
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
  flush_tail(pair, tag)
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
    redis_call('HSET', pairs_key(tag, user.name), unpack(found[1]))
    if #found[2] > 0 then redis_call('ZADD', recent_key(tag, user.name), unpack(found[2])) end
  end
end

-- The session that a user is at after the run; false for one of whom all is in the hash.
local function stays_at(user)
  return user.moved_to or user.at
end

-- What a user leaves who turned to another session or movie.
local function put_left(tag, others, user)
  local before, after = user.at, stays_at(user)
  if not before or before == after then return end
  put_session(others, user, before)
  if before.pair ~= after.pair then
    put_pair(tag, others, user, before.pair)
    if before.pair.current then put_scope(tag, before.pair.current) end
  end
end

-- Scopes that are over, and those of pairs that their users are not at.
local function put_scopes(run, tag)
  for _, counters in ipairs(run.scopes) do
    local at = stays_at(counters.user)
    if counters.changed and not (at and counters == at.pair.current) then put_scope(tag, counters) end
  end
end

-- Pairs and sessions that users were at only in between, if at all.
local function put_passed(run, tag, others)
  for _, pair in ipairs(run.pairs) do
    local at = stays_at(pair.user)
    if pair.changed and not (at and pair == at.pair) then put_pair(tag, others, pair.user, pair) end
  end
  for _, session in ipairs(run.sessions) do
    local user = session.pair.user
    if session.changed and session ~= stays_at(user) then put_session(others, user, session) end
  end
end

-- Puts what changed of a run's users and movies behind `values`, and writes what users left who turned to another movie or
-- session.
local function save_run(run, values)
  local tag, n, others = run.tag, #values, {}
  local keys, at, users = run.keys, run.keys_at, #run.names
  for place = 1, users do
    local user, stride, record = run.users[place], run.went_on[place] and run.strides[place], nil
    if user and (user.moved_to or user.was_cut) then
      local session = stays_at(user)
      put_left(tag, others, user)
      if session then
        stride, record = pack_user(user, session)
      else
        stride, record = nil, pack_totals(user)
      end
    end
    if stride then
      values[n + 1], values[n + 2] = keys[at + place], stride
      n = n + 2
    end
    if record then
      values[n + 1], values[n + 2] = user_key(tag, run.names[place]), record
      n = n + 2
    end
  end
  for i, movie in ipairs(run.movies) do
    if movie.changed then
      values[n + 1], values[n + 2] = keys[at + users + i], pack_movie(movie)
      n = n + 2
    end
  end
  put_passed(run, tag, others)
  write_others(tag, others)
  put_scopes(run, tag)
end

-- Writes what changed: all users and movies in one command.
local function save_counters(runs)
  local values = {}
  for _, run in ipairs(runs) do save_run(run, values) end
  for first = 1, #values, AT_ONCE do
    redis_call('MSET', unpack(values, first, math.min(first + AT_ONCE - 1, #values)))
  end
end
