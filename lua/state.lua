-- The state of some counters, all at one moment, and which moment that is: what a snapshot is made from.
--
-- KEYS  1 log hash; then as in apply.lua for each user, movie and pair
-- ARGV  1 a run that names them, without events (include/run.lua)
-- REPLY {id of the last entry ever appended, user records, movie records, pair records, coverages, session records}, each
--       a list in the run's order, with false for what does not exist

local function state(keys, args)
  local run = open_run(args[1])
  bind_keys(run, keys, 2)
  read_records(run)
  local reply = { redis.call('HGET', keys[1], 'last') or '0-0', {}, {}, {}, {}, {} }
  for i, user in ipairs(run.users) do reply[2][i] = user.record end
  for i, movie in ipairs(run.movies) do reply[3][i] = movie.record end
  for i, pair in ipairs(run.pairs) do
    reply[4][i] = pair.record
    reply[5][i] = redis.call('GET', pair.coverage_key)
  end
  for i, session in ipairs(run.sessions) do reply[6][i] = session.record end
  return reply
end

register('state', state, 'no-writes')
