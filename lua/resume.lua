-- Brings a partition's stream in line with what Postgres has, and opens the partition for events.
--
-- What is in the stream and not in Postgres is appended anew, with ids after the checkpoint: a server that went back in
-- time, or whose clock did, may have given ids that the flusher has passed.
--
-- KEYS  1 stream   2 log hash
-- ARGV  1 token of the recovery (close.lua)   2 id of the checkpoint's entry   3 events that Postgres has of the partition
--       4 the name of this server: a replica that takes over finds another one's, and takes no events until it is known
--         to be level itself
--       5 erasures that Postgres has seen of it   6 "1" if not all of its users are in this Redis
--       7 and on: ids of the entries in the stream that Postgres does not have, in their order
-- REPLY how many events wait
-- ERROR SUPERSEDED another recovery took over; nothing was changed

local function resume(keys, args)
  local stream_key, log_key = keys[1], keys[2]
  local checkpoint, appended = args[2], tonumber(args[3])
  if redis.call('HGET', log_key, 'recovering') ~= args[1] then
    return redis.error_reply('SUPERSEDED another recovery of this partition took over')
  end
  local waiting = {}
  for i = 7, #args do
    local entry = redis.call('XRANGE', stream_key, args[i], args[i])[1]
    waiting[#waiting + 1] = entry[2]
  end
  redis.call('DEL', stream_key)
  redis.call('HSET', log_key, 'persisted', string.format('%.0f', appended), 'last', checkpoint)
  if checkpoint ~= '0-0' then
    -- An empty stream that remembers an id: what is appended next comes after it.
    redis.call('XADD', stream_key, checkpoint, 'x', '')
    redis.call('XDEL', stream_key, checkpoint)
  end
  local events, erased = 0, tonumber(args[5])
  for _, fields in ipairs(waiting) do
    local outcomes = field_of(fields, 'outcomes') or ''  -- of a stranger's entry
    events = events + count_counted(outcomes)
    if outcomes == 'E' then erased = erased + 1 end
    local total = string.format('%.0f', appended + events)
    local id = redis.call('XADD', stream_key, '*', 'run', field_of(fields, 'run') or '', 'outcomes', outcomes, 'appended', total)
    redis.call('HSET', log_key, 'last', id)
  end
  redis.call('HSET', log_key, 'appended', string.format('%.0f', appended + events), 'erased', erased,
    'open', args[4], 'opened_by', args[1])
  if args[6] == '1' then redis.call('HINCRBY', log_key, 'evicted', 1) end
  redis.call('HDEL', log_key, 'recovering')
  return events
end

register('resume', resume, 'allow-oom')
