-- The records in which counters are kept. Their twins are in service/counters/records.py.

local TOTALS = 'I8I8I8I8I8I8I8I8'   -- watch_ms effective_ms unique_cells events movies ids_swept_us active_us appended
local PAIR = 'I8I8I8I8I8I4I4I4I8I4' -- watch_ms effective_ms unique_cells events implausible_ms verified_cells furthest_ms latest_ms latest_us (0: none) scope
local SESSION = 'I4I8I8I1I2I8I8I8'  -- position_ms + 1 (0: none) time_us since_us (0: none) playing speed credited_ms seq_max + 1 (0: none) seq_base, then the seq window
local MOVIE = '>I8I8I8I8I8'         -- watch_ms effective_ms unique_cells viewers events

-- A user's record holds its totals and, behind them, the pair and the session of its last event: nearly every event is of
-- the same ones as the one before, and then this is all that it reads and writes. All other pairs and sessions are in
-- the user's hash.
--
--   totals, slug, session name, pair, tail_first, tail_after (include/coverage.lua), session without its window,
--   of a pair that was cut its current scope, as a pair with a tail (include/scopes.lua), window
--
-- Of a user, `active_us` is when its last event was received, and `appended` how many events its partition had then: once
-- Postgres has a snapshot of all of those, the user may leave (evict.lua).
local USER_TOTALS, USER_PAIR, USER_SESSION = '>' .. TOTALS, '>' .. PAIR, '>' .. SESSION
local USER_AT = '>' .. TOTALS .. 'I2c0I2c0' .. PAIR .. 'I4I4' .. SESSION
local USER_AT_PACKED = '>' .. TOTALS .. 'I2c0I2c0' .. PAIR .. 'I4I4' .. SESSION .. 'c0'
local USER_AT_SLICED = '>I2c0I2c0c64I4I4c47' -- slug, session name, pair, tail_first, tail_after, session without its window
local USER_SCOPE = '>' .. PAIR .. 'I4I4'
local TOTALS_BYTES, PAIR_BYTES, SCOPE_BYTES = 64, 64, 72

local CELL_MS = 1000

-- Tables are written with all their fields at once: one that grows field by field is rehashed four times on the way,
-- which costs more than the commands of an event. So what is not there is false, not nil.

local function make_pair(slug, watch_ms, effective_ms, unique_cells, events, implausible_ms, verified_cells, furthest_ms,
    latest_ms, latest_us, scope, tail_first, tail_after)
  return {
    slug = slug, watch_ms = watch_ms, effective_ms = effective_ms, unique_cells = unique_cells, events = events,
    implausible_ms = implausible_ms, verified_cells = verified_cells, furthest_ms = furthest_ms,
    latest_ms = latest_ms, latest_us = latest_us, scope = scope, tail_first = tail_first, tail_after = tail_after,
    user = false, sessions = {}, changed = false, of_scope = false, current = false, listed = false,
  }
end

local function make_session(name, pair, position, time_us, since_us, playing, speed, credited_ms, seq_max, seq_base, seq_window)
  return {
    name = name, pair = pair, position_ms = position > 0 and position - 1, time_us = time_us, since_us = since_us,
    playing = playing == 1, speed = speed, credited_ms = credited_ms, seq_max = seq_max > 0 and seq_max - 1,
    seq_base = seq_base, seq_window = seq_window, changed = false,
  }
end

local function make_user(name, watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us, active_us, appended, at)
  return {
    name = name, watch_ms = watch_ms, effective_ms = effective_ms, unique_cells = unique_cells, events = events,
    movies = movies, ids_swept_us = ids_swept_us, active_us = active_us, appended = appended,
    at = at, moved_to = false, was_cut = false, absent = false, pairs = {},
  }
end

-- A pair from the user's hash. What it covers is in its bitmap, and nothing of it lies behind `furthest_ms`.
local function read_pair_record(slug, record)
  if not record then return make_pair(slug, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) end
  local watch_ms, effective_ms, unique_cells, events, implausible_ms, verified_cells, furthest_ms, latest_ms, latest_us,
    scope = struct.unpack(USER_PAIR, record)
  local reach = math.ceil(furthest_ms / CELL_MS)
  return make_pair(slug, watch_ms, effective_ms, unique_cells, events, implausible_ms, verified_cells, furthest_ms,
    latest_ms, latest_us, scope, reach, reach)
end

local function read_session_record(name, pair, record)
  if not record then return make_session(name, pair, 0, 0, 0, 0, 1000, 0, 0, 0, '') end
  local position, time_us, since_us, playing, speed, credited_ms, seq_max, seq_base, offset =
    struct.unpack(USER_SESSION, record)
  return make_session(name, pair, position, time_us, since_us, playing, speed, credited_ms, seq_max, seq_base,
    string.sub(record, offset))
end

-- The current scope of the pair that a user is at, from the user's record.
local function read_user_scope(pair, record, offset)
  local watch_ms, effective_ms, unique_cells, events, implausible_ms, verified_cells, furthest_ms, latest_ms, latest_us,
    scope, tail_first, tail_after = struct.unpack(USER_SCOPE, record, offset)
  local counters = make_pair(pair.slug, watch_ms, effective_ms, unique_cells, events, implausible_ms, verified_cells,
    furthest_ms, latest_ms, latest_us, scope, tail_first, tail_after)
  counters.user, counters.of_scope = pair.user, scope
  return counters
end

-- A user from its record; `at` is the session of its last event, whose pair is `at.pair`.
local function read_user_record(name, record)
  if not record then return make_user(name, 0, 0, 0, 0, 0, 0, 0, 0, false) end
  if #record == TOTALS_BYTES then
    local watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us, active_us, appended =
      struct.unpack(USER_TOTALS, record)
    return make_user(name, watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us, active_us, appended, false)
  end
  local watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us, active_us, appended, slug, session,
    pair_watch_ms, pair_effective_ms, pair_unique_cells, pair_events, implausible_ms, verified_cells, furthest_ms,
    latest_ms, latest_us, scope, tail_first, tail_after,
    position, time_us, since_us, playing, speed, credited_ms, seq_max, seq_base, offset = struct.unpack(USER_AT, record)
  local pair = make_pair(slug, pair_watch_ms, pair_effective_ms, pair_unique_cells, pair_events, implausible_ms,
    verified_cells, furthest_ms, latest_ms, latest_us, scope, tail_first, tail_after)
  local at = make_session(session, pair, position, time_us, since_us, playing, speed, credited_ms, seq_max, seq_base,
    string.sub(record, scope > 0 and offset + SCOPE_BYTES or offset))
  local user = make_user(name, watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us, active_us, appended, at)
  pair.user, pair.sessions[session], user.pairs[slug] = user, at, pair
  if scope > 0 then pair.current = read_user_scope(pair, record, offset) end
  return user
end

local function pack_totals(user)
  return struct.pack(USER_TOTALS, user.watch_ms, user.effective_ms, user.unique_cells, user.events, user.movies,
    user.ids_swept_us, user.active_us, user.appended)
end

local function pack_pair(pair)
  return struct.pack(USER_PAIR, pair.watch_ms, pair.effective_ms, pair.unique_cells, pair.events, pair.implausible_ms,
    pair.verified_cells, pair.furthest_ms, pair.latest_ms, pair.latest_us, pair.scope)
end

local function pack_session(session)
  return struct.pack(USER_SESSION, session.position_ms and session.position_ms + 1 or 0, session.time_us,
    session.since_us, session.playing and 1 or 0, session.speed, session.credited_ms,
    session.seq_max and session.seq_max + 1 or 0, session.seq_base) .. session.seq_window
end

-- The record of the pair that a user is at, from the user's.
local function pair_record_of(record)
  local _, _, first = struct.unpack('>I2c0I2c0', record, TOTALS_BYTES + 1)
  return string.sub(record, first, first + PAIR_BYTES - 1)
end

local function pack_user_scope(counters)
  return struct.pack(USER_SCOPE, counters.watch_ms, counters.effective_ms, counters.unique_cells, counters.events,
    counters.implausible_ms, counters.verified_cells, counters.furthest_ms, counters.latest_ms, counters.latest_us,
    counters.of_scope, counters.tail_first, counters.tail_after)
end

-- A user who is at this session now; of a pair that was cut, its current scope is there.
local function pack_user(user, session)
  local pair = session.pair
  local scope = pair.scope > 0 and pack_user_scope(pair.current) or ''
  return struct.pack(USER_AT_PACKED, user.watch_ms, user.effective_ms, user.unique_cells, user.events, user.movies,
    user.ids_swept_us, user.active_us, user.appended, #pair.slug, pair.slug, #session.name, session.name,
    pair.watch_ms, pair.effective_ms, pair.unique_cells, pair.events, pair.implausible_ms,
    pair.verified_cells, pair.furthest_ms, pair.latest_ms, pair.latest_us, pair.scope, pair.tail_first, pair.tail_after,
    session.position_ms and session.position_ms + 1 or 0, session.time_us,
    session.since_us, session.playing and 1 or 0, session.speed, session.credited_ms,
    session.seq_max and session.seq_max + 1 or 0, session.seq_base, scope .. session.seq_window)
end

local function read_movie_record(slug, record)
  local watch_ms, effective_ms, unique_cells, viewers, events = 0, 0, 0, 0, 0
  if record then watch_ms, effective_ms, unique_cells, viewers, events = struct.unpack(MOVIE, record) end
  return {
    slug = slug, watch_ms = watch_ms, effective_ms = effective_ms, unique_cells = unique_cells, viewers = viewers,
    events = events, changed = false,
  }
end

local function pack_movie(movie)
  return struct.pack(MOVIE, movie.watch_ms, movie.effective_ms, movie.unique_cells, movie.viewers, movie.events)
end
