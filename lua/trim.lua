-- Removes from a stream what is committed in Postgres. Saying it again changes nothing.
--
-- KEYS  1 stream   2 log hash
-- ARGV  1 the first id that must stay
-- REPLY how many entries were removed

local function trim(keys, args)
  local stream_key, log_key = keys[1], keys[2]
  local removed = redis.call('XTRIM', stream_key, 'MINID', '=', args[1])
  local first = redis.call('XRANGE', stream_key, '-', '+', 'COUNT', 1)[1]
  local persisted = redis.call('HGET', log_key, 'appended') or '0'
  if first then
    -- `appended` of an entry counts its own events too: those still wait.
    local fields = first[2]
    local appended = tonumber(field_of(fields, 'appended') or '') or 0  -- a stranger's entry has none
    local waiting = count_counted(field_of(fields, 'outcomes') or '')
    persisted = string.format('%.0f', appended - waiting)
  end
  redis.call('HSET', log_key, 'persisted', persisted)
  return removed
end

register('trim', trim, 'allow-oom')
