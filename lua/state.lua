-- The state of some counters, all at one moment, and which moment that is: what a snapshot is made from.
--
-- KEYS  1 log hash
-- ARGV  1 what names them (include/run.lua)
-- REPLY {id of the last entry ever appended, user records, movie records, pair records, coverages, session records, scopes},
--       each a list in the order in which they are named, with false for what does not exist; the scopes of a pair that was
--       cut are a list themselves: number, record, coverage or false, of each in which anything was counted

local function session_state(run, tag, p, name)
  local user, slug = user_of(run, tag, run.pair_users[p + 1] + 1), run.slugs[run.pair_movies[p + 1] + 1]
  local session = open_session(run, tag, user, slug, name)
  return session.time_us > 0 and pack_session(session)
end

-- A pair's record, its coverage and its scopes.
local function pair_state(run, tag, i)
  local user, slug = user_of(run, tag, run.pair_users[i] + 1), run.slugs[run.pair_movies[i] + 1]
  local pair = open_pair(run, tag, user, slug)
  if pair.events == 0 then return false, false, false end
  return pack_pair(pair), read_coverage(pair, bitmap_of(pair, tag)), pair.scope > 0 and read_scopes(tag, pair)
end

local function state(keys, args)
  local tag = tag_of(keys[1])
  local run = open_names(args[1], tag)
  load_records({ run }, true)
  local users, movies, pairs, coverages, sessions, scopes = {}, {}, {}, {}, {}, {}
  for i, record in ipairs(run.records) do users[i] = record and pack_totals(user_of(run, tag, i)) end
  for i, movie in ipairs(run.movies) do movies[i] = movie.is_known and pack_movie(movie) end
  for i, p in ipairs(run.session_pairs) do sessions[i] = session_state(run, tag, p, run.session_names[i]) end
  for i = 1, #run.pair_users do pairs[i], coverages[i], scopes[i] = pair_state(run, tag, i) end
  return { redis.call('HGET', keys[1], 'last') or '0-0', users, movies, pairs, coverages, sessions, scopes }
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
