-- Lets an idle user leave, of whom Postgres has everything. Movies' shares keep what the user gave to them.
--
-- KEYS  1 log hash   2 user hash   3 recent sorted set   4 ids sorted set; then for each pair its coverage
-- ARGV  1 idle when not active since, us   2 the log's count of events up to which Postgres has snapshots
--       3 and on: the slug of each pair
-- REPLY 1 gone, 0 stays: there was another event, or another pair, or the partition is closed

local function evict(keys, args)
  local log_key, user_key = keys[1], keys[2]
  local record = redis.call('HGET', user_key, TOTALS_FIELD)
  if not record or redis.call('HEXISTS', log_key, 'open') == 0 then return 0 end
  local user = unpack_user(record)
  local slugs = {}
  for i = 3, #args do slugs[i - 2] = args[i] end
  if not may_leave(user, tonumber(args[1]), tonumber(args[2])) or has_other_pairs(user_key, slugs) then return 0 end
  for i = 2, #keys do redis.call('DEL', keys[i]) end
  -- Of whom there is nothing in Postgres either, nobody need ever be asked.
  if user.movies > 0 then redis.call('HINCRBY', log_key, 'evicted', 1) end
  return 1
end

register('evict', evict, 'allow-oom')
