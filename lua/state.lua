-- The state of some counters, all at one moment, and which moment that is: what a snapshot is made from.
--
-- KEYS  1 log hash
-- ARGV  1 a run that names them, without events (include/run.lua)
-- REPLY {id of the last entry ever appended, user records, movie records, pair records, coverages, session records}, each
--       a list in the run's order, with false for what does not exist

local function state(keys, args)
  local tag, run = tag_of(keys[1]), open_run(args[1])
  local records = load_users(run, tag, false)
  load_pairs(run, tag)
  local reply = { redis.call('HGET', keys[1], 'last') or '0-0', {}, {}, {}, {}, {} }
  for i, user in ipairs(run.users) do reply[2][i] = records[i] and pack_totals(user) end
  for i = 1, #run.movies do reply[3][i] = records[#run.users + i] end
  for i, pair in ipairs(run.pairs) do
    local exists = pair.events > 0
    reply[4][i] = exists and pack_pair(pair)
    reply[5][i] = exists and read_coverage(pair, coverage_key(tag, pair.user.name, pair.slug))
  end
  for i, session in ipairs(run.sessions) do reply[6][i] = session.time_us > 0 and pack_session(session) end
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
