-- The common event, from record to record: a heartbeat of a user who goes on in the same movie and session, where the
-- last one left off. Nine of ten events are of this kind. It makes no table and no command, and costs half of what the
-- way for all events costs (lua/apply.lua), which counts the same: tests/lua/test_model.py drives both.

-- The same in the current scope of a pair that was cut, which lies at `offset` of the user's record. Gives its new record,
-- nil where the event is not ahead of what was seen in it.
local function go_on_in_scope(record, offset, first, after, at_ms, time_us, span_ms, effective_span_ms, beyond_ms)
  local watch_ms, effective, unique_cells, events, implausible_ms, verified_cells, furthest_ms, latest_ms, latest_us,
    scope, tail_first, tail_after = struct.unpack(USER_SCOPE, record, offset)
  local fresh_cells = 0
  if span_ms > 0 then
    if first < tail_first or first > tail_after then return nil end
    if after > tail_after then
      fresh_cells, tail_after = after - tail_after, after
      if first <= verified_cells then verified_cells = math.max(verified_cells, tail_after) end
    end
  end
  if time_us >= latest_us then latest_ms, latest_us = at_ms, time_us end
  return struct.pack(USER_SCOPE, watch_ms + span_ms, effective + effective_span_ms, unique_cells + fresh_cells, events + 1,
    implausible_ms + beyond_ms, verified_cells, math.max(furthest_ms, at_ms), latest_ms, latest_us, scope, tail_first,
    tail_after)
end

-- Gives the outcome and the user's new record; nil where the event is none of this kind, false instead of a record where it
-- is a duplicate. `appended` is the log's count with this event.
local function go_on(record, movie, name, timed, at_ms, speed, time_us, received_us, seq, appended, constants)
  if #record == TOTALS_BYTES then return nil end
  local watch_ms, effective, unique_cells, events, movies, ids_swept_us, active_us, _, slug, session,
    pair_watch_ms, pair_effective, pair_unique_cells, pair_events, implausible_ms, verified_cells, furthest_ms,
    latest_ms, latest_us, scope, tail_first, tail_after,
    position, session_us, since_us, _, session_speed, credited_ms, seq_max, seq_base, offset = struct.unpack(USER_AT, record)
  local start_ms = position - 1
  local span_ms = at_ms - start_ms
  if slug ~= movie.slug or session ~= name or time_us < session_us
    or position == 0 or span_ms < 0 or span_ms > constants.heartbeat_gap_ms then
    return nil
  end

  local first, after, fresh_cells = math.floor(start_ms / CELL_MS), math.ceil(at_ms / CELL_MS), 0
  if span_ms > 0 then
    if first < tail_first or first > tail_after then return nil end
    if after > tail_after then
      fresh_cells, tail_after = after - tail_after, after
      if first <= verified_cells then verified_cells = math.max(verified_cells, tail_after) end
    end
  end

  local window = string.sub(record, scope > 0 and offset + SCOPE_BYTES or offset)
  if seq then
    local before = seq_max > 0 and seq_max - 1
    if has_seen(before, seq_base, window, seq) then return 'D', false end
    before, seq_base, window = add_seq(before, seq_base, window, seq)
    seq_max = before + 1
  end

  local at_speed = speed or session_speed
  local effective_span_ms = effective_ms(span_ms, at_speed)
  local beyond_ms = timed and excess_ms(since_us, time_us, span_ms, at_speed, constants) or 0
  local in_scope = ''
  if scope > 0 then
    in_scope = go_on_in_scope(record, offset, first, after, at_ms, time_us, span_ms, effective_span_ms, beyond_ms)
    if not in_scope then return nil end
  end
  if time_us >= latest_us then latest_ms, latest_us = at_ms, time_us end
  add_totals(movie, span_ms, effective_span_ms, fresh_cells)
  movie.changed = true
  return scoped(outcome_of(span_ms, beyond_ms), scope), struct.pack(USER_AT_PACKED,
    watch_ms + span_ms, effective + effective_span_ms, unique_cells + fresh_cells, events + 1, movies, ids_swept_us,
    math.max(active_us, received_us), appended, #slug, slug, #session, session,
    pair_watch_ms + span_ms, pair_effective + effective_span_ms, pair_unique_cells + fresh_cells, pair_events + 1,
    implausible_ms + beyond_ms, verified_cells, math.max(furthest_ms, at_ms), latest_ms, latest_us, scope, tail_first, tail_after,
    at_ms + 1, time_us, time_us, 1, at_speed, credited_ms + span_ms, seq_max, seq_base, in_scope .. window)
end
