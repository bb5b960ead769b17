-- Idempotency keys of a user: a sorted set of ids by the time of receipt, in us.

local SWEEPS_PER_WINDOW = 24

-- Remembers an id. Gives false when it was received within the window before, and changes nothing then.
local function remember_id(key, id, received_us, constants)
  local score = string.format('%.0f', received_us)
  if redis.call('ZADD', key, 'NX', score, id) == 1 then return true end
  local before_us = tonumber(redis.call('ZSCORE', key, id))
  if received_us - before_us < constants.idempotency_window_us then return false end
  redis.call('ZADD', key, 'XX', score, id)
  return true
end

-- Forgets the ids that left the window: rarely, so that it costs nothing an event. The whole key expires on its own
-- once the user sends no more ids.
local function sweep_ids(key, user, now_us, constants)
  local window_us = constants.idempotency_window_us
  local pause_us = math.ceil(window_us / SWEEPS_PER_WINDOW)
  if now_us - user.ids_swept_us < pause_us then return end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now_us - window_us))
  redis.call('PEXPIRE', key, string.format('%.0f', math.ceil((window_us + 2 * pause_us) / 1000)))
  user.ids_swept_us = now_us
end
