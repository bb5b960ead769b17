-- Looks for users of a partition who may leave: one stretch of the server's keys.
--
-- KEYS  1 log hash
-- ARGV  1 cursor of SCAN, "0" at first   2 pattern of the partition's users   3 how many keys to look at, about
--       4 idle when not active since, us   5 the log's count of events up to which Postgres has snapshots
--       6 bytes that come before the user's name in a key
-- REPLY {next cursor, "0" at the end; used memory in bytes; its bound or 0; {user, user, ...}}

local function idle(keys, args)
  local idle_since_us, snapshotted, named_at = tonumber(args[4]), tonumber(args[5]), tonumber(args[6]) + 1
  local scanned = redis.call('SCAN', args[1], 'MATCH', args[2], 'COUNT', args[3])
  local tag, found = tag_of(keys[1]), {}
  for _, key in ipairs(scanned[2]) do
    local name = string.sub(key, named_at)
    local record = get_user(tag, name)
    if record and may_leave(record, idle_since_us, snapshotted) then found[#found + 1] = name end
  end
  local used, bound = read_memory()
  return { scanned[1], used, bound, found }
end

register('idle', idle, 'no-writes')
