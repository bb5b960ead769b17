-- Applies a run of events to all of their counters and appends it to the partition's stream: one atomic step.
--
-- KEYS  1 stream   stream  the partition's entries, on their way to Postgres
--       2 log      hash    `appended` and `persisted`: events ever put into the stream, and ever trimmed from it;
--                          `last`: the id of the last entry, known even when all are trimmed;
--                          `open`: the server at which the partition was found level with Postgres (resume.lua);
--                          `evicted`: how many users ever left for Postgres (evict.lua)
--       3 call     string  what the writer's last call answered, for when that answer was lost
--       The keys of users, movies and pairs are spelled here (include/names.lua).
-- ARGV  1 the run (include/run.lua)      2 token of this call, unique for the writer
--       3 "1" if this is a repeated call 4 heartbeat interval, ms   5 heartbeat gap, ms   6 tolerance, ms
--       7 idempotency window, us         8 events that may wait in this stream at most
--       9 the name of this server        10 and on: places, from 0, of the pairs whose state is wanted
-- REPLY {outcomes, pair record, pair record, ...}: one for each pair wanted
--       outcomes: for each event, separated by ",": "D" a duplicate; "A" not counted, since its user is not in this Redis
--       and must be brought in first; else the watch time credited in ms, followed by "!" and the implausible ms if
--       there are any.
-- ERROR BACKLOG the stream is full; CLOSED the partition is not known to be level with Postgres at this server. Nothing was
--       changed

local CALL_REMEMBERED_MS = 600000 -- far longer than any writer goes on repeating a call

local function read_constants(args)
  return {
    heartbeat_interval_ms = tonumber(args[4]),
    heartbeat_gap_ms = tonumber(args[5]),
    implausible_tolerance_ms = tonumber(args[6]),
    idempotency_window_us = tonumber(args[7]),
    backlog_events_max = tonumber(args[8]),
  }
end

local function add_totals(totals, watch_ms, effective, fresh_cells)
  totals.watch_ms = totals.watch_ms + watch_ms
  totals.effective_ms = totals.effective_ms + effective
  totals.unique_cells = totals.unique_cells + fresh_cells
  totals.events = totals.events + 1
end

-- Marks the segments of a claim. Gives their total length, the highest position, and how many cells are new.
local function mark_claim(pair, key, blob, offset, segments)
  local total_ms, furthest_ms, ranges = 0, 0, {}
  for _ = 1, segments do
    local start_ms, end_ms
    start_ms, end_ms, offset = struct.unpack('>I4I4', blob, offset)
    furthest_ms = math.max(furthest_ms, end_ms)
    if end_ms > start_ms then
      total_ms = total_ms + end_ms - start_ms
      ranges[#ranges + 1] = { math.floor(start_ms / CELL_MS), math.ceil(end_ms / CELL_MS) }
    end
  end
  return total_ms, furthest_ms, mark_ranges(pair, key, ranges)
end

local function move_pair(pair, kind, at_ms, from_ms, claimed_ms, time_us)
  if kind == LOAD then return end
  if time_us >= pair.latest_us then pair.latest_ms, pair.latest_us = at_ms, time_us end
  pair.furthest_ms = math.max(pair.furthest_ms, at_ms, from_ms, claimed_ms)
end

-- Whether an event was seen before. Its id is remembered here if not; its seq later, when its session is changed.
local function is_duplicate(user, session, seq, id, received_us, tag, constants)
  if seq and has_seen(session, seq) then return true end
  return id ~= '' and not remember_id(ids_key(tag, user.name), id, received_us, constants)
end

-- Applies the event that begins at `offset`. Gives its outcome, whether it counted, and where the next one begins.
local function apply_event(run, offset, tag, constants)
  local blob = run.blob
  local place, kind, timed, at_ms, from_ms, speed, _, time_us, received_us, seq, id, segments
  place, kind, timed, at_ms, from_ms, speed, _, time_us, received_us, seq, id, segments, offset =
    struct.unpack('>I2I1I1I4I4I2I4I8I8I8I2c0I2', blob, offset)
  local next_offset = offset + segments * 8
  local session = run.sessions[place + 1]
  local pair = session.pair
  local user, movie = pair.user, pair.movie
  if user.absent then return 'A', false, next_offset end
  seq = seq > 0 and seq - 1
  speed = speed > 0 and speed
  if is_duplicate(user, session, seq, id, received_us, tag, constants) then return 'D', false, next_offset end

  local key = coverage_key(tag, user.name, pair.slug)
  local late = time_us < session.time_us
  local watch_ms, fresh_cells, claimed_ms, at_speed, first_ms
  if kind == CLAIM then
    local total_ms
    total_ms, claimed_ms, fresh_cells = mark_claim(pair, key, blob, offset, segments)
    watch_ms, at_speed, first_ms = math.max(0, total_ms - session.credited_ms), speed or NORMAL_SPEED, 0
  else
    local start_ms, end_ms
    start_ms, end_ms, at_speed = played_span(session, kind, at_ms, from_ms, speed, late, constants)
    watch_ms, claimed_ms, first_ms = math.max(0, end_ms - start_ms), 0, start_ms
    fresh_cells = mark_span(pair, key, start_ms, end_ms)
  end
  local excess_ms = implausible_ms(session, kind, timed == 1, late, time_us, watch_ms, at_speed, constants)
  local effective = effective_ms(watch_ms, at_speed)

  if pair.events == 0 then
    user.movies = user.movies + 1
    movie.viewers = movie.viewers + 1
  end
  add_totals(user, watch_ms, effective, fresh_cells)
  add_totals(movie, watch_ms, effective, fresh_cells)
  add_totals(pair, watch_ms, effective, fresh_cells)
  if fresh_cells > 0 and first_ms < (pair.verified_cells + 1) * CELL_MS then follow_coverage(pair, key) end
  pair.implausible_ms = pair.implausible_ms + excess_ms
  move_pair(pair, kind, at_ms, from_ms, claimed_ms, time_us)
  session.credited_ms = session.credited_ms + watch_ms
  if seq then remember_seq(session, seq) end
  if not late then move_session(session, kind, at_ms, time_us, speed) end
  user.active_us = math.max(user.active_us, received_us)
  if id ~= '' then sweep_ids(ids_key(tag, user.name), user, received_us, constants) end
  user.moved_to, movie.changed, pair.changed, session.changed = session, true, true, true
  -- Lua spells whole numbers below 1e14 in full, and a claim is worth less than 1e12 ms.
  if excess_ms > 0 then return watch_ms .. '!' .. excess_ms, true, next_offset end
  return watch_ms, true, next_offset
end

-- What this very call answered before, if it did: its answer was lost, and it must not count again.
local function answered_before(call_key, token)
  local answer = redis.call('GET', call_key)
  if not answer then return nil end
  local said, outcomes = string.match(answer, '^(%S+) (.*)$')
  return said == token and outcomes or nil
end

local WANTED = 10

local function reply_with_states(run, outcomes, args)
  local reply = { outcomes }
  for i = WANTED, #args do reply[#reply + 1] = pack_pair(run.pairs[tonumber(args[i]) + 1]) end
  return reply
end

local function apply(keys, args)
  local stream_key, log_key, call_key, tag = keys[1], keys[2], keys[3], tag_of(keys[1])
  local token = args[2]
  local constants = read_constants(args)
  local run = open_run(args[1])
  local log = redis.call('HMGET', log_key, 'appended', 'persisted', 'open', 'evicted')
  if args[3] == '1' then
    local outcomes = answered_before(call_key, token)
    if outcomes then
      load_counters(run, tag, log[4])
      return reply_with_states(run, outcomes, args)
    end
  end
  if log[3] ~= args[9] then return redis.error_reply('CLOSED this partition is being recovered') end
  local appended = tonumber(log[1] or 0)
  if appended - tonumber(log[2] or 0) + run.size > constants.backlog_events_max then
    return redis.error_reply('BACKLOG the stream of this partition is full')
  end

  load_counters(run, tag, log[4])
  local outcomes, offset, counted = {}, run.offset, 0
  for i = 1, run.size do
    local counts
    outcomes[i], counts, offset = apply_event(run, offset, tag, constants)
    if counts then counted = counted + 1 end
  end
  local said = table.concat(outcomes, ',')
  if counted > 0 then
    save_counters(run, tag, appended + counted)
    append(run, stream_key, log_key, appended + counted, said)
    redis.call('SET', call_key, token .. ' ' .. said, 'PX', CALL_REMEMBERED_MS)
  end
  return reply_with_states(run, said, args)
end

register('apply', apply)
