-- Who may leave Redis for Postgres, and who may have left.

-- Whether nothing came from the user for so long, and Postgres has all that came. Who was erased has nothing to wait for.
-- `record` is the user's with its stride.
local function may_leave(record, idle_since_us, snapshotted)
  local is_at = #record > TOTALS_BYTES
  local _, _, _, _, movies, _, active_us, appended = struct.unpack(is_at and USER_STRIDE or USER_TOTALS, record)
  return appended <= snapshotted and (active_us < idle_since_us or not is_at and movies == 0)
end

-- Whether somebody who is not here may have been evicted: then Postgres knows.
local function may_be_evicted(record, log_key)
  return record and 0 or redis.call('HEXISTS', log_key, 'evicted')
end
