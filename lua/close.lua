-- Closes a partition to events, so that whoever recovers it is alone with it.
--
-- KEYS  1 log hash
-- ARGV  1 token of the recovery; a later recovery's takes its place
-- REPLY 1

local function close(keys, args)
  redis.call('HDEL', keys[1], 'open')
  redis.call('HSET', keys[1], 'recovering', args[1])
  return 1
end

register('close', close, 'allow-oom')
