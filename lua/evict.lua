-- Lets an idle user leave, of whom Postgres has everything. Movies' shares keep what the user gave to them.
--
-- KEYS  1 log hash
-- ARGV  1 the user   2 idle when not active since, us   3 the log's count of events up to which Postgres has snapshots
-- REPLY 1 gone, 0 stays: there was another event, or the partition is closed

local function evict(keys, args)
  local tag, log_key = tag_of(keys[1]), keys[1]
  local record = get_user(tag, args[1])
  if not record or redis.call('HEXISTS', log_key, 'open') == 0 then return 0 end
  if not may_leave(record, tonumber(args[2]), tonumber(args[3])) then return 0 end
  local user = read_user_record(args[1], record)
  forget_user(tag, user)
  -- Of whom there is nothing in Postgres either, nobody need ever be asked.
  if user.movies > 0 then redis.call('HINCRBY', log_key, 'evicted', 1) end
  return 1
end

register('evict', evict, 'allow-oom')
