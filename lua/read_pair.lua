-- A pair as clients read it, all of it from one moment.
--
-- KEYS  1 user hash   2 coverage string   3 log hash
-- ARGV  1 slug
-- REPLY {pair record or false, coverage or false, 1 if the user may be in Postgres only, else 0}

-- Whether somebody who is not here may have been evicted: then Postgres knows.
local function may_be_evicted(user_key, log_key)
  if redis.call('HEXISTS', user_key, TOTALS_FIELD) == 1 then return 0 end
  return redis.call('HEXISTS', log_key, 'evicted')
end

local function read_pair(keys, args)
  local user_key, coverage_key, log_key = keys[1], keys[2], keys[3]
  return {
    redis.call('HGET', user_key, pair_field(args[1])), redis.call('GET', coverage_key), may_be_evicted(user_key, log_key),
  }
end

-- KEYS  1 user hash   2 log hash   REPLY {user record or false, 1 if the user may be in Postgres only, else 0}
local function read_user(keys, _)
  return { redis.call('HGET', keys[1], TOTALS_FIELD), may_be_evicted(keys[1], keys[2]) }
end

register('read_pair', read_pair, 'no-writes')
register('read_user', read_user, 'no-writes')
