-- Brings an evicted user back, before its next event: movies' shares still contain it.
--
-- KEYS  1 log hash
-- ARGV  1 what `pass` said before the image was read from Postgres; 2 and on: the image (include/images.lua); one without
--       pairs is a user that Postgres does not know
-- REPLY 1 brought in, 0 there already
-- ERROR CLOSED the partition is not known to be level with Postgres: what Postgres had may have been older than what the
--       recovery puts in place; STALE since the pass was given somebody left, was erased, or the partition was recovered:
--       the image may be older than what left. Nothing was changed

local function pass_of(log_key)
  local log = redis.call('HMGET', log_key, 'opened_by', 'evicted', 'erased')
  return (log[1] or '-') .. ' ' .. (log[2] or '0') .. ' ' .. (log[3] or '0')
end

-- KEYS  1 log hash   REPLY the pass: the same for as long as nobody leaves the partition
local function pass(keys, _)
  return pass_of(keys[1])
end

local function admit(keys, args)
  if redis.call('HEXISTS', keys[1], 'open') == 0 then
    return redis.error_reply('CLOSED this partition is being recovered')
  end
  if pass_of(keys[1]) ~= args[1] then return redis.error_reply('STALE somebody left in between') end
  local tag, image = tag_of(keys[1]), read_image(args, 2)
  if redis.call('EXISTS', user_key(tag, image.name)) == 1 then return 0 end
  write_image(tag, image)
  return 1
end

register('pass', pass, 'no-writes')
register('admit', admit)
