-- What an event says was played: the rules of service/rules/session.py.

-- Kinds by their number in service/events/event.py.
local HEARTBEAT, SEGMENT, PLAY, PAUSE, END, SEEK, RATE, CLAIM, MARK, LOAD, CUT = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255

local NORMAL_SPEED = 1000

-- Wall time that content took, rounded to the ms, half up.
local function effective_ms(watched_ms, speed)
  return math.floor((watched_ms * 2 * NORMAL_SPEED + speed) / (2 * speed))
end

-- The span that any kind but `claim` says was played, and the speed at which it was. An empty span counts nothing.
local function played_span(session, kind, at_ms, from_ms, speed, late, constants)
  if kind == SEGMENT then
    return from_ms, at_ms, speed or NORMAL_SPEED
  end
  if late then
    return 0, 0, speed or NORMAL_SPEED
  end
  local position_ms = session.position_ms
  local at_speed = speed or session.speed
  if kind == HEARTBEAT then
    if position_ms and at_ms >= position_ms and at_ms - position_ms <= constants.heartbeat_gap_ms then
      return position_ms, at_ms, at_speed
    end
    return math.max(0, at_ms - constants.heartbeat_interval_ms), at_ms, at_speed
  end
  if session.playing and position_ms then
    if kind == PAUSE or kind == END then
      return position_ms, at_ms, at_speed
    elseif kind == RATE then
      return position_ms, at_ms, session.speed
    elseif kind == SEEK then
      return position_ms, from_ms, at_speed
    end
  end
  return 0, 0, at_speed
end

-- By how much an increment exceeds what the clock allows since the session's last event, in ms.
local function excess_ms(since_us, time_us, credited_ms, speed, constants)
  if since_us == 0 or time_us < since_us then return 0 end
  local elapsed_ms = math.floor((time_us - since_us) / 1000)
  -- Split, since elapsed_ms * speed may pass 2^53.
  local seconds = math.floor(elapsed_ms / NORMAL_SPEED)
  local allowed_ms = seconds * speed + math.floor((elapsed_ms - seconds * NORMAL_SPEED) * speed / NORMAL_SPEED)
  return math.max(0, credited_ms - allowed_ms - constants.implausible_tolerance_ms)
end

-- Follow an event that is not late.
local function move_session(session, kind, at_ms, time_us, speed)
  session.time_us = time_us
  if speed then session.speed = speed end
  if kind == MARK then return end
  session.since_us = time_us
  if kind == LOAD then
    session.position_ms, session.playing = false, false
    return
  end
  session.position_ms = at_ms
  if kind == HEARTBEAT or kind == PLAY then
    session.playing = true
  elseif kind == PAUSE or kind == END or kind == CLAIM then
    session.playing = false
  end
end

-- One more event in the clocks of a user, a movie or a pair.
local function add_totals(totals, watch_ms, effective, fresh_cells)
  totals.watch_ms = totals.watch_ms + watch_ms
  totals.effective_ms = totals.effective_ms + effective
  totals.unique_cells = totals.unique_cells + fresh_cells
  totals.events = totals.events + 1
end

-- What became of an event that counted. Lua spells whole numbers below 1e14 in full, and a claim is worth less than
-- 1e12 ms.
local function outcome_of(watch_ms, beyond_ms)
  if beyond_ms > 0 then return watch_ms .. '!' .. beyond_ms end
  return watch_ms
end

-- The same of an event that counted in a scope of its own, or began it.
local function scoped(outcome, scope)
  return scope > 0 and outcome .. '@' .. scope or outcome
end
