-- The records in which counters are kept. Each has its twin in service/counters/records.py.

local TOTALS = '>I8I8I8I8I8I8I8I8'    -- watch_ms effective_ms unique_cells events movies ids_swept_us active_us appended
local PAIR = '>I8I8I8I8I8I4I4I4I8'    -- watch_ms effective_ms unique_cells events implausible_ms verified_cells furthest_ms latest_ms latest_us (0: none)
local SESSION = '>I4I8I8I1I2I8I8I8'   -- position_ms + 1 (0: none) time_us since_us (0: none) playing speed credited_ms seq_max + 1 (0: none) seq_base, then the seq window
local SESSION_BYTES = 47
local MOVIE = '>I8I8I8I8I8'           -- watch_ms effective_ms unique_cells viewers events

-- Of a user, `active_us` is when its last event was received, and `appended` how many events its partition had then: once
-- Postgres has a snapshot of all of those, the user may leave (evict.lua).

-- Tables are written with all their fields at once: one that grows field by field is rehashed four times on the way,
-- which costs more than the commands of an event.

local function unpack_user(record)
  local watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us, active_us, appended = 0, 0, 0, 0, 0, 0, 0, 0
  if record then
    watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us, active_us, appended =
      struct.unpack(TOTALS, record)
  end
  return {
    watch_ms = watch_ms, effective_ms = effective_ms, unique_cells = unique_cells, events = events, movies = movies,
    ids_swept_us = ids_swept_us, active_us = active_us, appended = appended,
  }
end

local function pack_user(user)
  return struct.pack(TOTALS, user.watch_ms, user.effective_ms, user.unique_cells, user.events, user.movies,
    user.ids_swept_us, user.active_us, user.appended)
end

local function unpack_pair(record)
  local watch_ms, effective_ms, unique_cells, events, implausible, verified_cells, furthest_ms, latest_ms, latest_us =
    0, 0, 0, 0, 0, 0, 0, 0, 0
  if record then
    watch_ms, effective_ms, unique_cells, events, implausible, verified_cells, furthest_ms, latest_ms, latest_us =
      struct.unpack(PAIR, record)
  end
  return {
    watch_ms = watch_ms, effective_ms = effective_ms, unique_cells = unique_cells, events = events,
    implausible_ms = implausible, verified_cells = verified_cells, furthest_ms = furthest_ms,
    latest_ms = latest_ms, latest_us = latest_us,
  }
end

local function pack_pair(pair)
  return struct.pack(PAIR, pair.watch_ms, pair.effective_ms, pair.unique_cells, pair.events, pair.implausible_ms,
    pair.verified_cells, pair.furthest_ms, pair.latest_ms, pair.latest_us)
end

local function unpack_session(record)
  local position, time_us, since_us, playing, speed, credited_ms, seq_max, seq_base = 0, 0, 0, 0, 1000, 0, 0, 0
  local seq_window = ''
  if record then
    position, time_us, since_us, playing, speed, credited_ms, seq_max, seq_base = struct.unpack(SESSION, record)
    seq_window = string.sub(record, SESSION_BYTES + 1)
  end
  return {
    position_ms = position > 0 and position - 1 or nil, time_us = time_us, since_us = since_us,
    playing = playing == 1, speed = speed, credited_ms = credited_ms,
    seq_max = seq_max > 0 and seq_max - 1 or nil, seq_base = seq_base, seq_window = seq_window,
  }
end

local function pack_session(session)
  return struct.pack(SESSION, session.position_ms and session.position_ms + 1 or 0, session.time_us,
    session.since_us, session.playing and 1 or 0, session.speed, session.credited_ms,
    session.seq_max and session.seq_max + 1 or 0, session.seq_base) .. session.seq_window
end

local function unpack_movie(record)
  local watch_ms, effective_ms, unique_cells, viewers, events = 0, 0, 0, 0, 0
  if record then watch_ms, effective_ms, unique_cells, viewers, events = struct.unpack(MOVIE, record) end
  return {
    watch_ms = watch_ms, effective_ms = effective_ms, unique_cells = unique_cells, viewers = viewers, events = events,
  }
end

local function pack_movie(movie)
  return struct.pack(MOVIE, movie.watch_ms, movie.effective_ms, movie.unique_cells, movie.viewers, movie.events)
end
