-- The records in which counters are kept. Their twins are in service/counters/records.py and current.py.

local TOTALS = 'I8I8I8I8I8I8I8I8'   -- watch_ms effective_ms unique_cells events movies ids_swept_us active_us appended
local PAIR = 'I8I8I8I8I8I4I4I4I8I4' -- watch_ms effective_ms unique_cells events implausible_ms verified_cells furthest_ms latest_ms latest_us (0: none) scope
local SESSION = 'I4I8I8I1I2I8I8I8'  -- position_ms + 1 (0: none) time_us since_us (0: none) playing speed credited_ms seq_max + 1 (0: none) seq_base, then the seq window
local MOVIE = '>I8I8I8I8I8'         -- watch_ms effective_ms unique_cells viewers events

-- A user's record holds its totals and the pair and the session of its last event: nearly every event is of the same ones
-- as the one before. All other pairs and sessions are in the user's hash. Of whom all is in the hash the record is the
-- totals alone.
--
--   clocks (the totals without their last two), pair without its scope, tail (include/coverage.lua),
--   session without what the stride has of it, of a pair that was cut its current scope, as a pair with a tail
--   (include/scopes.lua), seq window
--
-- The stride, under a key of its own, is what changes with each heartbeat of a viewer who goes on, and all that such an
-- event reads and writes (include/steady.lua): a third of what there is. Behind it are the names of movie and session. The
-- record is of the moment when it was written; `strides` events have come since, each from where the one before ended to
-- `position`. `take_stride` puts the two together. Whoever is at no session has no stride.
--
-- Of a user, `active_us` is when its last event was received, and `appended` how many events its partition had then: once
-- Postgres has a snapshot of all of those, the user may leave (evict.lua).
local USER_TOTALS, USER_PAIR, USER_SESSION = '>' .. TOTALS, '>' .. PAIR, '>' .. SESSION
local STRIDE = 'I4I4I4I8I8I4I8I8I8I2I4' -- position_ms + 1 (0: the next event cannot go on) tail_after unseen_until time_us seq_max + 1 (0: none) strides effective_ms active_us appended speed scope
local NAMES, TAIL = 'I2c0I2c0', 'I4I4I4' -- tail_first tail_after unseen_until
local AT = 'I8I8I8I8I8I8' .. 'I8I8I8I8I8I4I4I4I8' .. TAIL .. 'I4I8I1I8I8I8'
local USER_STRIDE, USER_STRIDE_NEXT = '>' .. STRIDE .. NAMES, '>' .. STRIDE .. 'c0'
local USER_AT, USER_AT_PACKED = '>' .. STRIDE .. NAMES .. AT, '>' .. AT .. 'c0'
local USER_SCOPE = '>' .. PAIR .. TAIL
local TOTALS_BYTES, STRIDE_BYTES, SCOPE_BYTES = 64, 62, 76

-- Tables are written with all their fields at once: one that grows field by field is rehashed four times on the way,
-- which costs more than the commands of an event. So what is not there is false, not nil.

local function make_pair(slug, watch_ms, effective_ms, unique_cells, events, implausible_ms, verified_cells, furthest_ms,
    latest_ms, latest_us, scope, tail_first, tail_after, unseen_until)
  return {
    slug = slug, watch_ms = watch_ms, effective_ms = effective_ms, unique_cells = unique_cells, events = events,
    implausible_ms = implausible_ms, verified_cells = verified_cells, furthest_ms = furthest_ms,
    latest_ms = latest_ms, latest_us = latest_us, scope = scope, tail_first = tail_first, tail_after = tail_after,
    unseen_until = unseen_until,
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
  if not record then return make_pair(slug, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UNBOUNDED) end
  local watch_ms, effective_ms, unique_cells, events, implausible_ms, verified_cells, furthest_ms, latest_ms, latest_us,
    scope = struct_unpack(USER_PAIR, record)
  local reach = math.ceil(furthest_ms / CELL_MS)
  return make_pair(slug, watch_ms, effective_ms, unique_cells, events, implausible_ms, verified_cells, furthest_ms,
    latest_ms, latest_us, scope, reach, reach, UNBOUNDED)
end

local function read_session_record(name, pair, record)
  if not record then return make_session(name, pair, 0, 0, 0, 0, 1000, 0, 0, 0, '') end
  local position, time_us, since_us, playing, speed, credited_ms, seq_max, seq_base, offset =
    struct_unpack(USER_SESSION, record)
  return make_session(name, pair, position, time_us, since_us, playing, speed, credited_ms, seq_max, seq_base,
    string_sub(record, offset))
end

-- The current scope of the pair that a user is at, from the user's record.
local function read_user_scope(pair, record, offset)
  local watch_ms, effective_ms, unique_cells, events, implausible_ms, verified_cells, furthest_ms, latest_ms, latest_us,
    scope, tail_first, tail_after, unseen_until = struct_unpack(USER_SCOPE, record, offset)
  local counters = make_pair(pair.slug, watch_ms, effective_ms, unique_cells, events, implausible_ms, verified_cells,
    furthest_ms, latest_ms, latest_us, scope, tail_first, tail_after, unseen_until)
  counters.user, counters.of_scope = pair.user, scope
  return counters
end

-- Moves a pair, or a scope of it, from `start_ms` on to `at_ms` by a stride. It begins in the tail, and ends before anything
-- that was seen behind that.
local function stride_pair(counters, start_ms, at_ms, time_us, strides, effective_ms)
  counters.watch_ms, counters.effective_ms = counters.watch_ms + at_ms - start_ms, counters.effective_ms + effective_ms
  counters.events, counters.furthest_ms = counters.events + strides, math.max(counters.furthest_ms, at_ms)
  if time_us >= counters.latest_us then counters.latest_ms, counters.latest_us = at_ms, time_us end
  local after = math.ceil(at_ms / CELL_MS)
  if at_ms == start_ms or after <= counters.tail_after then return 0 end
  local fresh_cells = after - counters.tail_after
  counters.unique_cells, counters.tail_after = counters.unique_cells + fresh_cells, after
  if counters.verified_cells >= counters.tail_first then counters.verified_cells = after end
  return fresh_cells
end

-- Takes a stride of a user who is at `session`.
local function take_stride(user, session, at_ms, time_us, seq_after, strides, effective_ms)
  local pair, start_ms = session.pair, session.position_ms
  local fresh_cells = stride_pair(pair, start_ms, at_ms, time_us, strides, effective_ms)
  if pair.current then stride_pair(pair.current, start_ms, at_ms, time_us, strides, effective_ms) end
  user.watch_ms, user.effective_ms = user.watch_ms + at_ms - start_ms, user.effective_ms + effective_ms
  user.unique_cells, user.events = user.unique_cells + fresh_cells, user.events + strides
  session.position_ms, session.since_us, session.playing = at_ms, time_us, true
  session.credited_ms = session.credited_ms + at_ms - start_ms
  session.seq_max, session.seq_base, session.seq_window =
    add_seqs(session.seq_max, session.seq_base, session.seq_window, seq_after - 1)
end

-- A user from its record, its stride before it if it has one; `at` is the session of its last event, whose pair is `at.pair`.
local function read_user_record(name, record)
  if not record then return make_user(name, 0, 0, 0, 0, 0, 0, 0, 0, false) end
  if #record == TOTALS_BYTES then
    local watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us, active_us, appended =
      struct_unpack(USER_TOTALS, record)
    return make_user(name, watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us, active_us, appended, false)
  end
  local stride_position, _, _, time_us, seq_after, strides, stride_effective_ms, active_us, appended, speed, scope,
    slug, session, watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us,
    pair_watch_ms, pair_effective_ms, pair_unique_cells, pair_events, implausible_ms, verified_cells, furthest_ms,
    latest_ms, latest_us, tail_first, tail_after, unseen_until,
    position, since_us, playing, credited_ms, seq_max, seq_base, offset = struct_unpack(USER_AT, record)
  local pair = make_pair(slug, pair_watch_ms, pair_effective_ms, pair_unique_cells, pair_events, implausible_ms,
    verified_cells, furthest_ms, latest_ms, latest_us, scope, tail_first, tail_after, unseen_until)
  local at = make_session(session, pair, position, time_us, since_us, playing, speed, credited_ms, seq_max, seq_base,
    string_sub(record, scope > 0 and offset + SCOPE_BYTES or offset))
  local user = make_user(name, watch_ms, effective_ms, unique_cells, events, movies, ids_swept_us, active_us, appended, at)
  pair.user, pair.sessions[session], user.pairs[slug] = user, at, pair
  if scope > 0 then pair.current = read_user_scope(pair, record, offset) end
  if strides > 0 then
    take_stride(user, at, stride_position - 1, time_us, seq_after, strides, stride_effective_ms)
  end
  return user
end

local function pack_totals(user)
  return struct_pack(USER_TOTALS, user.watch_ms, user.effective_ms, user.unique_cells, user.events, user.movies,
    user.ids_swept_us, user.active_us, user.appended)
end

-- The totals alone, from a user's record with its stride.
local function totals_of(record)
  return #record == TOTALS_BYTES and record or pack_totals(read_user_record('', record))
end

local function pack_pair(pair)
  return struct_pack(USER_PAIR, pair.watch_ms, pair.effective_ms, pair.unique_cells, pair.events, pair.implausible_ms,
    pair.verified_cells, pair.furthest_ms, pair.latest_ms, pair.latest_us, pair.scope)
end

local function pack_session(session)
  return struct_pack(USER_SESSION, session.position_ms and session.position_ms + 1 or 0, session.time_us,
    session.since_us, session.playing and 1 or 0, session.speed, session.credited_ms,
    session.seq_max and session.seq_max + 1 or 0, session.seq_base) .. session.seq_window
end

local function pack_user_scope(counters)
  return struct_pack(USER_SCOPE, counters.watch_ms, counters.effective_ms, counters.unique_cells, counters.events,
    counters.implausible_ms, counters.verified_cells, counters.furthest_ms, counters.latest_ms, counters.latest_us,
    counters.of_scope, counters.tail_first, counters.tail_after, counters.unseen_until)
end

-- Whether a heartbeat may go on from this cell: it lies in the tail; and it is plain where the first hole will be: where the
-- tail ends, or where it was.
local function can_go_on(counters, cell)
  local is_plain = counters.verified_cells < counters.tail_first or counters.verified_cells == counters.tail_after
  return is_plain and is_in_tail(counters, cell)
end

-- Where the next stride of a session begins, + 1; 0 where its next event is to be counted as any other.
local function next_stride(session)
  local position_ms, pair = session.position_ms, session.pair
  if not position_ms or session.since_us ~= session.time_us then return 0 end
  local cell = math.floor(position_ms / CELL_MS)
  if not can_go_on(pair, cell) or pair.scope > 0 and not can_go_on(pair.current, cell) then return 0 end
  return position_ms + 1
end

-- A user who is at this session now: its stride, and its record; of a pair that was cut, its current scope is there.
local function pack_user(user, session)
  local pair = session.pair
  local scope = pair.scope > 0 and pack_user_scope(pair.current) or ''
  local position = session.position_ms and session.position_ms + 1 or 0
  local seq_after = session.seq_max and session.seq_max + 1 or 0
  local unseen_until = pair.scope > 0 and math.min(pair.unseen_until, pair.current.unseen_until) or pair.unseen_until
  local stride = struct_pack(USER_STRIDE, next_stride(session), pair.tail_after, unseen_until, session.time_us, seq_after, 0, 0,
    user.active_us, user.appended, session.speed, pair.scope, #pair.slug, pair.slug, #session.name, session.name)
  return stride, struct_pack(USER_AT_PACKED,
    user.watch_ms, user.effective_ms, user.unique_cells, user.events, user.movies, user.ids_swept_us,
    pair.watch_ms, pair.effective_ms, pair.unique_cells, pair.events, pair.implausible_ms,
    pair.verified_cells, pair.furthest_ms, pair.latest_ms, pair.latest_us, pair.tail_first, pair.tail_after,
    pair.unseen_until, position, session.since_us, session.playing and 1 or 0, session.credited_ms, seq_after, session.seq_base,
    scope .. session.seq_window)
end

local function read_movie_record(slug, record)
  local watch_ms, effective_ms, unique_cells, viewers, events = 0, 0, 0, 0, 0
  if record then watch_ms, effective_ms, unique_cells, viewers, events = struct_unpack(MOVIE, record) end
  return {
    slug = slug, watch_ms = watch_ms, effective_ms = effective_ms, unique_cells = unique_cells, viewers = viewers,
    events = events, changed = false, is_known = record and true,
  }
end

local function pack_movie(movie)
  return struct_pack(MOVIE, movie.watch_ms, movie.effective_ms, movie.unique_cells, movie.viewers, movie.events)
end
