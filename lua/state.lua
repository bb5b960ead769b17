-- The state of some counters, all at one moment, and which moment that is. What snapshots need is mostly had for less
-- (service/counters/states.py).
--
-- KEYS  1 log hash
-- ARGV  1 what names them (include/run.lua)
-- REPLY {id of the last entry ever appended, strides, user records, movie records, pair records, coverages, session records,
--       scopes}, each a list in the order in which they are named, with false for what does not exist. The scopes of a pair
--       that was cut are a list themselves: number, record, coverage or false, of each in which anything was counted

local function pair_state(run, place, slug)
  local tag = run.tag
  local pair = open_pair(run, tag, user_of(run, tag, place), slug)
  if pair.events == 0 then return false, false, false end
  return pack_pair(pair), read_coverage(pair, bitmap_of(pair, tag)), pair.scope > 0 and read_scopes(tag, pair)
end

local function session_state(run, p, name)
  local place, slug = run.pair_users[p] + 1, run.slugs[run.pair_movies[p] + 1]
  local session = open_session(run, run.tag, user_of(run, run.tag, place), slug, name)
  return session.time_us > 0 and pack_session(session)
end

local function state(keys, args)
  local run = open_names(args[1], tag_of(keys[1]))
  local users, movies_at, spelled = #run.names, #run.names + #run.slugs, {}
  spell_keys(run, spelled, true)
  local found, movies, pairs, coverages, scopes, sessions = read_many(spelled), {}, {}, {}, {}, {}
  for i = 1, users do run.strides[i], run.records[i] = found[i], found[movies_at + i] end
  for i = 1, #run.slugs do movies[i] = found[users + i] end
  for i, place in ipairs(run.pair_users) do
    pairs[i], coverages[i], scopes[i] = pair_state(run, place + 1, run.slugs[run.pair_movies[i] + 1])
  end
  for i, p in ipairs(run.session_pairs) do sessions[i] = session_state(run, p + 1, run.session_names[i]) end
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
