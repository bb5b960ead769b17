-- The common event: a heartbeat of a user who goes on in the same movie and session, where the last one left off. Nine of
-- ten events are of this kind. It reads and writes its user's stride (include/records.lua), makes no table and no command,
-- and costs a fraction of the way for all events (lua/apply.lua), which counts the same: tests/lua/test_model.py drives both.

-- Outcomes as they are told are remembered, those below half a minute: spelling a number costs more than counting it.
local SPELLED, SPELLED_MS_MAX = {}, 30000

local function spell_outcome(watch_ms, scope)
  local spelled = SPELLED[watch_ms]
  if not spelled then
    spelled = string.format('%.0f', watch_ms)
    if watch_ms <= SPELLED_MS_MAX then SPELLED[watch_ms] = spelled end
  end
  return scope > 0 and spelled .. '@' .. scope or spelled
end

-- Gives the outcome and the user's new stride; nothing where the event is none of this kind. `appended` is the log's count
-- with this event.
local function go_on(stride, movie, name, timed, at_ms, speed, time_us, received_us, seq, appended, constants)
  local position, tail_after, unseen_until, since_us, seq_after, strides, stride_effective_ms, active_us, _, at_speed, scope, slug, session =
    struct_unpack(USER_STRIDE, stride)
  local watch_ms = at_ms - position + 1
  if position == 0 or watch_ms < 0 or watch_ms > constants.heartbeat_gap_ms or slug ~= movie.slug or session ~= name
    or time_us < since_us or speed and speed ~= at_speed or seq and seq ~= seq_after
    or timed and watch_ms > constants.implausible_tolerance_ms
      and excess_ms(since_us, time_us, watch_ms, at_speed, constants) > 0 then
    return
  end

  local after, fresh_cells = (at_ms + -at_ms % CELL_MS) / CELL_MS, 0
  if after >= unseen_until then return end
  if watch_ms > 0 and after > tail_after then fresh_cells, tail_after = after - tail_after, after end
  local effective = at_speed == NORMAL_SPEED and watch_ms or effective_ms(watch_ms, at_speed)
  movie.watch_ms, movie.effective_ms = movie.watch_ms + watch_ms, movie.effective_ms + effective
  movie.unique_cells, movie.events = movie.unique_cells + fresh_cells, movie.events + 1
  movie.changed = true
  return spell_outcome(watch_ms, scope), struct_pack(USER_STRIDE_NEXT, at_ms + 1, tail_after, unseen_until, time_us,
    seq and seq + 1 or seq_after, strides + 1, stride_effective_ms + effective, active_us > received_us and active_us or received_us,
    appended, at_speed, scope, string_sub(stride, STRIDE_BYTES + 1))
end
