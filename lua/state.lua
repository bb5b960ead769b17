-- The state of some counters, all at one moment, and which moment that is: what a snapshot is made from.
--
-- KEYS  1 log hash
-- ARGV  1 what names them (include/run.lua)
-- REPLY {id of the last entry ever appended, user records, movie records, pair records, coverages, session records, scopes},
--       each a list in the order in which they are named, with false for what does not exist; the scopes of a pair that was
--       cut are a list themselves: number, record, coverage or false, of each in which anything was counted

-- The pair and the session that a user is at, cut out of the user's record, where those are the ones that are asked for;
-- nearly all are. Gives the session's record, the pair's, and its tail; nothing where it is another one, or has scopes.
local function cut_out(record, slug, name)
  if not record or #record == TOTALS_BYTES then return end
  local at_slug, at_name, pair, tail_first, tail_after, session, offset =
    struct.unpack(USER_AT_SLICED, record, TOTALS_BYTES + 1)
  if at_slug ~= slug or name and at_name ~= name or string.sub(pair, -4) ~= '\0\0\0\0' then return end
  return session .. string.sub(record, offset), pair, tail_first, tail_after
end

local function session_state(run, tag, p, name)
  local place, slug = run.pair_users[p + 1] + 1, run.slugs[run.pair_movies[p + 1] + 1]
  local record = cut_out(run.records[place], slug, name)
  if record then return record end
  local session = open_session(run, tag, user_of(run, place), slug, name)
  return session.time_us > 0 and pack_session(session)
end

-- A pair's record, its coverage and its scopes.
local function pair_state(run, tag, i)
  local place, slug = run.pair_users[i] + 1, run.slugs[run.pair_movies[i] + 1]
  local _, record, tail_first, tail_after = cut_out(run.records[place], slug)
  if record then
    local key = coverage_key(tag, run.names[place], slug)
    return record, read_coverage({ tail_first = tail_first, tail_after = tail_after }, key), false
  end
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

register('state', state, 'no-writes')
register('fields', fields, 'no-writes')
