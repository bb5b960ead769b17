-- What waits in a stream for Postgres.
--
-- KEYS  1 stream   2 log hash
-- REPLY {events that wait, id of the oldest entry that waits or ""}

local function backlog(keys, _)
  local counts = redis.call('HMGET', keys[2], 'appended', 'persisted')
  local first = redis.call('XRANGE', keys[1], '-', '+', 'COUNT', 1)[1]
  return { tonumber(counts[1] or 0) - tonumber(counts[2] or 0), first and first[1] or '' }
end

register('backlog', backlog, 'no-writes')
