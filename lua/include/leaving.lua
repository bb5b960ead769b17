-- Who may leave Redis for Postgres, and who may have left.

-- Whether nothing came from the user for so long, and Postgres has all that came. Who was erased has nothing to wait for.
-- `record` is the user's with its stride.
local function may_leave(record, idle_since_us, snapshotted)
  local is_empty, active_us, appended, movies, _ = false, 0, 0, 0, nil
  if #record == TOTALS_BYTES then
    _, _, _, _, movies, _, active_us, appended = struct.unpack(USER_TOTALS, record)
    is_empty = movies == 0
  else
    _, _, _, _, _, _, _, active_us, appended = struct.unpack(USER_STRIDE, record)
  end
  return appended <= snapshotted and (active_us < idle_since_us or is_empty)
end

-- Whether somebody who is not here may have been evicted: then Postgres knows.
local function may_be_evicted(record, log_key)
  return record and 0 or redis.call('HEXISTS', log_key, 'evicted')
end
