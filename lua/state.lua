-- The state of some counters, all at one moment, and which moment that is: what a snapshot is made from.
--
-- KEYS  1 log hash
-- ARGV  1 what names them (include/run.lua)
-- REPLY {id of the last entry ever appended, strides, user records, movie records, pair records, coverages, session records,
--       scopes}, each a list in the order in which they are named, with false for what does not exist. Of a pair and a
--       session that their user is at there is "" instead of the record, and the pair's coverage is without its tail: both
--       are in the user's record (service/counters/current.py). The scopes of a pair that was cut are a list themselves:
--       number, record, coverage or false, of each in which anything was counted

-- Notes the pair and the session that each user is at.
local function note_current(run)
  run.at_slugs, run.at_sessions = {}, {}
  for place = 1, #run.names do
    local stride = run.strides[place]
    if stride and run.records[place] then
      local scope, slug, session = struct_unpack('>I4I2c0I2c0', stride, STRIDE_BYTES - 3)
      if scope == 0 then run.at_slugs[place], run.at_sessions[place] = slug, session end
    end
  end
end

local function session_state(run, p, name)
  local place, slug = run.pair_users[p + 1] + 1, run.slugs[run.pair_movies[p + 1] + 1]
  if run.at_slugs[place] == slug and run.at_sessions[place] == name then return '' end
  local session = open_session(run, run.tag, user_of(run, run.tag, place), slug, name)
  return session.time_us > 0 and pack_session(session)
end

-- The record, coverage and scopes of a pair that its user is not at, or that was cut.
local function other_pair_state(run, place, slug)
  local tag = run.tag
  local pair = open_pair(run, tag, user_of(run, tag, place), slug)
  if pair.events == 0 then return false, false, false end
  return pack_pair(pair), read_coverage(pair, bitmap_of(pair, tag)), pair.scope > 0 and read_scopes(tag, pair)
end

-- The records, coverages and scopes of pairs. Bitmaps of those that are in users' records are fetched in one command.
local function pair_states(run)
  local pairs, coverages, scopes, keys, places = {}, {}, {}, {}, {}
  for i = 1, #run.pair_users do
    local place, slug = run.pair_users[i] + 1, run.slugs[run.pair_movies[i] + 1]
    if run.at_slugs[place] == slug then
      pairs[i], coverages[i], scopes[i] = '', false, false
      keys[#keys + 1], places[#places + 1] = coverage_key(run.tag, run.names[place], slug), i
    else
      pairs[i], coverages[i], scopes[i] = other_pair_state(run, place, slug)
    end
  end
  for n, bitmap in ipairs(read_many(keys)) do coverages[places[n]] = bitmap end
  return pairs, coverages, scopes
end

local function state(keys, args)
  local run = open_names(args[1], tag_of(keys[1]))
  local users, movies_at, spelled = #run.names, #run.names + #run.slugs, {}
  spell_keys(run, spelled, true)
  local found, movies, sessions = read_many(spelled), {}, {}
  for i = 1, users do run.strides[i], run.records[i] = found[i], found[movies_at + i] end
  for i = 1, #run.slugs do movies[i] = found[users + i] end
  note_current(run)
  for i, p in ipairs(run.session_pairs) do sessions[i] = session_state(run, p, run.session_names[i]) end
  local pairs, coverages, scopes = pair_states(run)
  local last = redis_call('HGET', keys[1], 'last') or '0-0'
  return { last, run.strides, run.records, movies, pairs, coverages, sessions, scopes }
end

-- KEYS  1 log hash   ARGV  a user
-- REPLY false if the user is not here, or the fields of its pairs and sessions (include/names.lua), some of them twice
local function fields(keys, args)
  local tag = tag_of(keys[1])
  local record = get_user(tag, args[1])
  return record and fields_of(tag, read_user_record(args[1], record))
end

register('state', state, 'no-writes')
register('fields', fields, 'no-writes')
