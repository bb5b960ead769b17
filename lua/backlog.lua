-- What waits in a stream for Postgres.
--
-- KEYS  1 stream   2 log hash
-- ARGV  1 the name of this server
-- REPLY {events that wait, id of the oldest entry that waits or "", 1 if the partition is open to events else 0, memory of
--       the server that is used in bytes, its bound or 0}

local function backlog(keys, args)
  local counts = redis.call('HMGET', keys[2], 'appended', 'persisted', 'open')
  local first = redis.call('XRANGE', keys[1], '-', '+', 'COUNT', 1)[1]
  local waiting, is_open = tonumber(counts[1] or 0) - tonumber(counts[2] or 0), counts[3] == args[1] and 1 or 0
  return { waiting, first and first[1] or '', is_open, read_memory() }
end

register('backlog', backlog, 'no-writes')
