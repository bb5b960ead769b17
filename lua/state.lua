-- The state of some counters, all at one moment, and which moment that is: what a snapshot is made from.
--
-- KEYS  1 log hash
-- ARGV  1 what names them (include/run.lua)
-- REPLY {id of the last entry ever appended, user records, movie records, pair records, coverages, session records, scopes},
--       each a list in the order in which they are named, with false for what does not exist; the scopes of a pair that was
--       cut are a list themselves: number, record, coverage or false, of each in which anything was counted

local function state(keys, args)
  local tag, run = tag_of(keys[1]), open_names(args[1])
  load_records(run, tag, false)
  local reply = { redis.call('HGET', keys[1], 'last') or '0-0', {}, {}, {}, {}, {}, {} }
  for i, record in ipairs(run.records) do
    if i <= #run.names then
      reply[2][i] = record and string.sub(record, 1, TOTALS_BYTES)
    else
      reply[3][i - #run.names] = record
    end
  end
  for i, p in ipairs(run.session_pairs) do
    local user, slug = user_of(run, run.pair_users[p + 1] + 1), run.slugs[run.pair_movies[p + 1] + 1]
    local session = open_session(run, tag, user, slug, run.session_names[i])
    reply[6][i] = session.time_us > 0 and pack_session(session)
  end
  for i, u in ipairs(run.pair_users) do
    local pair = open_pair(run, tag, user_of(run, u + 1), run.slugs[run.pair_movies[i] + 1])
    local exists = pair.events > 0
    reply[4][i] = exists and pack_pair(pair)
    reply[5][i] = exists and read_coverage(pair, bitmap_of(pair, tag))
    reply[7][i] = pair.scope > 0 and read_scopes(tag, pair)
  end
  return reply
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
