-- The state of some counters, all at one moment, and which moment that is: what a snapshot is made from.
--
-- KEYS  1 log hash
-- ARGV  1 what names them (include/run.lua)
-- REPLY {id of the last entry ever appended, user records, movie records, pair records, coverages, session records, scopes},
--       each a list in the order in which they are named, with false for what does not exist; the scopes of a pair that was
--       cut are a list themselves: number, record, coverage or false, of each in which anything was counted

local function session_state(run, tag, p, name)
  local place, slug = run.pair_users[p + 1] + 1, run.slugs[run.pair_movies[p + 1] + 1]
  local session = open_session(run, tag, user_of(run, place), slug, name)
  return session.time_us > 0 and pack_session(session)
end

-- A pair's record, its coverage and its scopes.
local function pair_state(run, tag, i)
  local place, slug = run.pair_users[i] + 1, run.slugs[run.pair_movies[i] + 1]
  local pair = open_pair(run, tag, user_of(run, place), slug)
  if pair.events == 0 then return false, false, false end
  return pack_pair(pair), read_coverage(pair, bitmap_of(pair, tag)), pair.scope > 0 and read_scopes(tag, pair)
end

local function state(keys, args)
  local tag, run = tag_of(keys[1]), open_names(args[1])
  load_records(run, tag, false)
  local users, movies, pairs, coverages, sessions, scopes = {}, {}, {}, {}, {}, {}
  for i, record in ipairs(run.records) do
    if i <= #run.names then
      users[i] = record and string.sub(record, 1, TOTALS_BYTES)
    else
      movies[i - #run.names] = record
    end
  end
  for i, p in ipairs(run.session_pairs) do sessions[i] = session_state(run, tag, p, run.session_names[i]) end
  for i = 1, #run.pair_users do pairs[i], coverages[i], scopes[i] = pair_state(run, tag, i) end
  return { redis.call('HGET', keys[1], 'last') or '0-0', users, movies, pairs, coverages, sessions, scopes }
end

-- KEYS  1 log hash   ARGV  a user
-- REPLY false if the user is not here, or the fields of its pairs and sessions (include/names.lua), some of them twice
local function fields(keys, args)
  local tag = tag_of(keys[1])
  local record = redis.call('GET', user_key(tag, args[1]))
  return record and fields_of(tag, read_user_record(args[1], record))
end

-- KEYS  1 log hash
-- ARGV  keys of the partition, at most 1,500: users', movies', bitmaps'
-- REPLY {id of the last entry ever appended, what is under each of them}, all of one moment: what most snapshots are made from
local function records(keys, args)
  return { redis.call('HGET', keys[1], 'last') or '0-0', redis.call('MGET', unpack(args)) }
end

register('state', state, 'no-writes')
register('records', records, 'no-writes')
register('fields', fields, 'no-writes')
