-- A pair as clients read it, all of it from one moment.
--
-- KEYS  1 user hash   2 coverage string
-- ARGV  1 slug
-- REPLY {pair record or false, coverage or false}

local function read_pair(keys, args)
  return { redis.call('HGET', keys[1], pair_field(args[1])), redis.call('GET', keys[2]) }
end

register('read_pair', read_pair, 'no-writes')
