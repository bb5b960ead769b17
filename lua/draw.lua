-- Draws from a key's bucket what one process let in, and tells how full it is: below zero, more was let in than may be.
--
-- KEYS  1 bucket   hash: `level`, in what is limited; `at`, when that was, us
-- ARGV  1 size of the bucket   2 what flows in, a second   3 what was drawn
-- REPLY the level, as text with thousandths

local function draw(keys, args)
  local size, per_second, drawn = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  local now = redis.call('TIME')
  local now_us = now[1] * 1000000 + now[2]
  local bucket = redis.call('HMGET', keys[1], 'level', 'at')
  local level = size
  if bucket[1] then
    local passed_us = math.max(0, now_us - bucket[2])
    level = math.min(size, bucket[1] + passed_us / 1000000 * per_second)
  end
  local told = string.format('%.3f', level - drawn)
  redis.call('HSET', keys[1], 'level', told, 'at', string.format('%.0f', now_us))
  -- Once it would be full again nothing needs to be remembered.
  redis.call('PEXPIRE', keys[1], math.ceil((size - told) / per_second * 1000) + 1000)
  return told
end

register('draw', draw)
