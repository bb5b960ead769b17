-- Applies runs of events, one a partition, to all of their counters and appends each to its partition's stream: one atomic
-- step.
--
-- KEYS  of each partition:
--         stream   stream  its entries, on their way to Postgres
--         log      hash    `appended` and `persisted`: events ever put into the stream, and ever trimmed from it;
--                          `last`: the id of the last entry, known even when all are trimmed;
--                          `open`: the server at which the partition was found level with Postgres (resume.lua);
--                          `evicted`: how many users ever left for Postgres (evict.lua)
--       last: call  string  what the writer's last call answered, for when that answer was lost
--       The keys of users, movies and pairs are spelled here (include/names.lua).
-- ARGV  1 token of this call, unique for the writer            2 "1" if this is a repeated call
--       3 heartbeat interval, ms   4 heartbeat gap, ms         5 tolerance, ms   6 idempotency window, us
--       7 events that may wait in one stream at most           8 the name of this server
--       of each partition, in their order: its run (include/run.lua); a byte for each event whose pair's state is wanted,
--       "1", and "0" for each other one up to there
-- REPLY {outcomes of the first partition, or one of the errors below; those of the second ...; stride, record; stride, ...}
--       outcomes: for each event, separated by ",": "D" a duplicate; "A" not counted, since its user is not in this Redis
--       and must be brought in first; else the watch time credited in ms, followed by "!" and the implausible ms if
--       there are any, and by "@" and the scope in which it counted if that is not the lifetime itself.
--       stride, record: for each event that wants it, unless its partition was refused, its pair right after it: "" and the
--       pair's record; or both of the user who is at that pair; "" and "" of who must be brought in
-- ERROR BACKLOG the stream is full; CLOSED the partition is not known to be level with Postgres at this server. Nothing of
--       the partition was changed

local CALL_REMEMBERED_MS = 600000 -- far longer than any writer goes on repeating a call

local function read_constants(args)
  return {
    heartbeat_interval_ms = tonumber(args[3]),
    heartbeat_gap_ms = tonumber(args[4]),
    implausible_tolerance_ms = tonumber(args[5]),
    idempotency_window_us = tonumber(args[6]),
  }
end

-- What a claim says: the total length of its segments, the highest position, and their cells as ranges.
local function read_claim(blob, offset, segments)
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
  return { total_ms = total_ms, furthest_ms = furthest_ms, ranges = ranges }
end

local function move_pair(pair, kind, at_ms, from_ms, claimed_ms, time_us)
  if kind == LOAD then return end
  if time_us >= pair.latest_us then pair.latest_ms, pair.latest_us = at_ms, time_us end
  pair.furthest_ms = math.max(pair.furthest_ms, at_ms, from_ms, claimed_ms)
end

-- Counts what an event is worth for a pair, or for one of its scopes. Gives how many cells were not seen before.
local function count_played(counters, tag, kind, at_ms, from_ms, time_us, start_ms, end_ms, claim,
    watch_ms, effective, beyond_ms)
  local fresh_cells = claim and mark_ranges(counters, tag, claim.ranges) or mark_span(counters, tag, start_ms, end_ms)
  add_totals(counters, watch_ms, effective, fresh_cells)
  counters.implausible_ms = counters.implausible_ms + beyond_ms
  move_pair(counters, kind, at_ms, from_ms, claim and claim.furthest_ms or 0, time_us)
  counters.changed = true
  return fresh_cells
end

-- Has the tail of a session's pair, and of its scope, where its next event will begin.
local function keep_tails(session, tag)
  if not session.position_ms then return end
  local pair, cell = session.pair, math.floor(session.position_ms / CELL_MS)
  if not is_in_tail(pair, cell) then move_tail(pair, tag, cell) end
  if pair.current and not is_in_tail(pair.current, cell) then move_tail(pair.current, tag, cell) end
end

-- Whether an event was seen before. Its id is remembered here if not; its seq later, when its session is changed.
local function is_duplicate(user, session, seq, id, received_us, tag, constants)
  if seq and has_seen(session.seq_max, session.seq_base, session.seq_window, seq) then return true end
  return id ~= '' and not remember_id(ids_key(tag, user.name), id, received_us, constants)
end

-- Applies an event of any kind to its session, which is of its user's pair. Gives its outcome.
local function apply_to(session, movie, run, tag, constants, offset, appended,
    kind, timed, at_ms, from_ms, speed, time_us, received_us, seq, id, segments)
  local pair = session.pair
  local user = pair.user
  if is_duplicate(user, session, seq, id, received_us, tag, constants) then return 'D' end

  local late = time_us < session.time_us
  local claim = kind == CLAIM and read_claim(run.blob, offset, segments)
  local start_ms, end_ms, at_speed, watch_ms
  if claim then
    start_ms, end_ms, at_speed = 0, 0, speed or NORMAL_SPEED
    watch_ms = math.max(0, claim.total_ms - session.credited_ms)
  else
    start_ms, end_ms, at_speed = played_span(session, kind, at_ms, from_ms, speed, late, constants)
    watch_ms = math.max(0, end_ms - start_ms)
  end
  local untested = late or (kind == HEARTBEAT and not timed)
  local beyond_ms = untested and 0 or excess_ms(session.since_us, time_us, watch_ms, at_speed, constants)
  local effective = effective_ms(watch_ms, at_speed)

  if pair.events == 0 then
    user.movies = user.movies + 1
    movie.viewers = movie.viewers + 1
  end
  local fresh_cells = count_played(pair, tag, kind, at_ms, from_ms, time_us, start_ms, end_ms, claim,
    watch_ms, effective, beyond_ms)
  if pair.scope > 0 then
    count_played(open_scope(run, tag, pair), tag, kind, at_ms, from_ms, time_us, start_ms, end_ms, claim,
      watch_ms, effective, beyond_ms)
  end
  add_totals(user, watch_ms, effective, fresh_cells)
  add_totals(movie, watch_ms, effective, fresh_cells)
  session.credited_ms = session.credited_ms + watch_ms
  if seq then
    session.seq_max, session.seq_base, session.seq_window =
      add_seq(session.seq_max, session.seq_base, session.seq_window, seq)
  end
  if not late then move_session(session, kind, at_ms, time_us, speed) end
  keep_tails(session, tag)
  user.active_us, user.appended = math.max(user.active_us, received_us), appended
  if id ~= '' then sweep_ids(ids_key(tag, user.name), user, received_us, constants) end
  user.moved_to, movie.changed, session.changed = session, true, true
  return scoped(outcome_of(watch_ms, beyond_ms), pair.scope)
end

-- Cuts a user's pair: what comes from now on counts in its next scope. Where nothing was counted in the current one, that is
-- as good, and the cut a duplicate.
local function apply_cut(run, tag, user, slug, received_us, appended)
  local pair = open_pair(run, tag, user, slug)
  if not cut_pair(run, tag, pair) then return 'D', pair end
  user.active_us, user.appended, user.was_cut = math.max(user.active_us, received_us), appended, true
  return scoped(0, pair.scope), pair
end

-- Applies the event that begins at `offset`. Gives its outcome, where the next one begins, and of its pair, if its state is
-- wanted, stride and record. `appended` is the log's count if it counts.
local function apply_event(run, offset, tag, constants, appended, wants_state)
  local place, movie_place, kind, timed, at_ms, from_ms, speed, _, time_us, received_us, seq, name, id, segments
  place, movie_place, kind, timed, at_ms, from_ms, speed, _, time_us, received_us, seq, name, id, segments, offset =
    struct_unpack(EVENT, run.blob, offset)
  local movie, stride = run.movies[movie_place + 1], run.strides[place + 1]
  place, timed, seq, speed = place + 1, timed == 1, seq > 0 and seq - 1, speed > 0 and speed

  if kind == HEARTBEAT and stride and id == '' and not run.users[place] then
    local outcome, after =
      go_on(stride, movie, name, timed, at_ms, speed, time_us, received_us, seq, appended, constants)
    if outcome then
      run.strides[place], run.went_on[place] = after, true
      return outcome, offset, after, wants_state and run.records[place]
    end
  end

  local next_offset = offset + segments * SEGMENT_BYTES
  local user = user_of(run, tag, place)
  if user.absent then return 'A', next_offset, '', '' end
  if kind == CUT then
    local outcome, pair = apply_cut(run, tag, user, movie.slug, received_us, appended)
    return outcome, next_offset, '', wants_state and pack_pair(pair)
  end
  local session = open_session(run, tag, user, movie.slug, name)
  local outcome = apply_to(session, movie, run, tag, constants, offset, appended,
    kind, timed, at_ms, from_ms, speed, time_us, received_us, seq, id, segments)
  return outcome, next_offset, '', wants_state and pack_pair(session.pair)
end

-- What this very call answered before, if it did: its answer was lost, and it must not count again. Of each partition the
-- outcomes, or why it was refused.
local function answered_before(call_key, token)
  local answer = redis_call('GET', call_key)
  if not answer then return nil end
  local said, rest = string.match(answer, '^(%S+) (.*)$')
  if said ~= token then return nil end
  local answers = {}
  for told in string.gmatch(rest, '([^;]*);') do answers[#answers + 1] = told end
  return answers
end

local FIRST_RUN = 9
local WANTED = 49 -- "1"

-- The states that a call wanted which was made before: they are those of now.
local function repeat_states(run, reply)
  load_records({ run }, true)
  local offset = run.offset
  for i = 1, #run.wanted do
    local place, movie_place, segments, _
    place, movie_place, _, _, _, _, _, _, _, _, _, _, _, segments, offset = struct_unpack(EVENT, run.blob, offset)
    offset = offset + segments * SEGMENT_BYTES
    if string.byte(run.wanted, i) == WANTED then
      local pair = open_pair(run, run.tag, user_of(run, run.tag, place + 1), run.slugs[movie_place + 1])
      reply[#reply + 1], reply[#reply + 2] = '', pack_pair(pair)
    end
  end
end

-- Why a run cannot be taken, if it cannot. Notes what its partition's log says.
local function refuse(run, server, backlog_events_max)
  local log = redis_call('HMGET', run.log_key, 'appended', 'persisted', 'open', 'evicted')
  if log[3] ~= server then return 'CLOSED this partition is being recovered' end
  run.appended, run.has_evicted = tonumber(log[1] or 0), log[4]
  if run.appended - tonumber(log[2] or 0) + run.size > backlog_events_max then
    return 'BACKLOG the stream of this partition is full'
  end
end

-- Applies a run's events, and puts the states that it wants behind the reply. Gives its outcomes.
local function apply_run(run, constants, reply)
  local tag, wanted, outcomes, offset = run.tag, run.wanted, {}, run.offset
  local n, appended, wanted_max = #reply, run.appended, #wanted
  for i = 1, run.size do
    local wants_state, outcome, stride, record = i <= wanted_max and string.byte(wanted, i) == WANTED
    outcome, offset, stride, record = apply_event(run, offset, tag, constants, appended + 1, wants_state)
    outcomes[i] = outcome
    if has_counted(outcome) then appended = appended + 1 end
    if wants_state then
      reply[n + 1], reply[n + 2] = stride, record
      n = n + 2
    end
  end
  run.has_counted, run.appended, run.outcomes = appended > run.appended, appended, table_concat(outcomes, ',')
  return run.outcomes
end

-- The runs of a call, one a partition.
local function read_runs(keys, args)
  local runs = {}
  for i = 1, (#keys - 1) / 2 do
    local run = open_run(args[FIRST_RUN + 2 * i - 2])
    run.stream_key, run.log_key, run.wanted = keys[2 * i - 1], keys[2 * i], args[FIRST_RUN + 2 * i - 1]
    run.tag = tag_of(run.stream_key)
    runs[i] = run
  end
  return runs
end

local function is_refusal(told)
  return string.find(told, '^[A-Z]+ ')
end

local function answer_again(runs, answers)
  local reply = {}
  for i, told in ipairs(answers) do reply[i] = is_refusal(told) and redis.error_reply(told) or told end
  for i, run in ipairs(runs) do
    if run.wanted ~= '' and not is_refusal(answers[i]) then repeat_states(run, reply) end
  end
  return reply
end

-- Notes of each run why it is refused, if it is. Gives the others.
local function refuse_some(runs, server, backlog_events_max)
  local taken = {}
  for _, run in ipairs(runs) do
    run.refusal = refuse(run, server, backlog_events_max)
    if not run.refusal then taken[#taken + 1] = run end
  end
  return taken
end

-- Writes and appends what counted.
local function keep(taken)
  local counted = {}
  for _, run in ipairs(taken) do
    if run.has_counted then counted[#counted + 1] = run end
  end
  if #counted == 0 then return false end
  save_counters(counted)
  for _, run in ipairs(counted) do append(run, run.stream_key, run.log_key, run.appended, run.outcomes) end
  return true
end

local function apply(keys, args)
  local call_key, token = keys[#keys], args[1]
  local runs = read_runs(keys, args)
  if args[2] == '1' then
    local answers = answered_before(call_key, token)
    if answers then return answer_again(runs, answers) end
  end

  local constants, reply, told = read_constants(args), {}, { token .. ' ' }
  local taken = refuse_some(runs, args[8], tonumber(args[7]))
  load_records(taken, false)
  for i = 1, #runs do reply[i] = '' end
  for i, run in ipairs(runs) do
    reply[i] = run.refusal and redis.error_reply(run.refusal) or apply_run(run, constants, reply)
    told[i + 1] = (run.refusal or run.outcomes) .. ';'
  end
  if keep(taken) then redis_call('SET', call_key, table_concat(told), 'PX', CALL_REMEMBERED_MS) end
  return reply
end

register('apply', apply)
