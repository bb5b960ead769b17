-- Puts all that is known of a user in place of what is there, and keeps the movies' shares in step: one atomic step.
--
-- KEYS  1 log hash   2 user hash   3 recent sorted set   4 ids sorted set
--       then for each pair: its movie's share of this partition, its coverage
-- ARGV  1 token of the recovery (close.lua)
--       2 how many ids are remembered; then for each: time of receipt in us, id
--       then for each pair, in the order of KEYS: slug, pair record, coverage, how many sessions; then for each session:
--       name, session record
-- REPLY 1
-- ERROR SUPERSEDED another recovery took over; INCOMPLETE the user has a pair that is not named here. Nothing was changed

local function holds_other_pairs(user_key, slugs)
  for _, field in ipairs(redis.call('HKEYS', user_key)) do
    if string.sub(field, 1, 2) == 'm:' and not slugs[string.sub(field, 3)] then return true end
  end
  return false
end

-- What a movie's share gains when one pair takes the place of another (false: of none).
local function change_share(movie_key, before, after)
  local movie = unpack_movie(redis.call('GET', movie_key))
  local old, new = unpack_pair(before), unpack_pair(after)
  movie.watch_ms = movie.watch_ms + new.watch_ms - old.watch_ms
  movie.effective_ms = movie.effective_ms + new.effective_ms - old.effective_ms
  movie.unique_cells = movie.unique_cells + new.unique_cells - old.unique_cells
  movie.events = movie.events + new.events - old.events
  if not before then movie.viewers = movie.viewers + 1 end
  redis.call('SET', movie_key, pack_movie(movie))
  return new
end

local function read_pairs(keys, args, at)
  local pairs, slugs = {}, {}
  for i = 5, #keys, 2 do
    local pair = { movie_key = keys[i], coverage_key = keys[i + 1], sessions = {} }
    pair.slug, pair.record, pair.coverage = args[at], args[at + 1], args[at + 2]
    local sessions = tonumber(args[at + 3])
    at = at + 4
    for n = 1, sessions do
      pair.sessions[n] = { name = args[at], record = args[at + 1] }
      at = at + 2
    end
    pairs[#pairs + 1], slugs[pair.slug] = pair, true
  end
  return pairs, slugs
end

local function put_user(keys, args)
  local log_key, user_key, recent_key, ids_key = keys[1], keys[2], keys[3], keys[4]
  local ids = tonumber(args[2])
  local pairs, slugs = read_pairs(keys, args, 3 + 2 * ids)
  if redis.call('HGET', log_key, 'recovering') ~= args[1] then
    return redis.error_reply('SUPERSEDED another recovery of this partition took over')
  end
  if holds_other_pairs(user_key, slugs) then
    return redis.error_reply('INCOMPLETE the user has pairs that are not in Postgres')
  end

  local totals = unpack_user(false)
  local before = {}
  for i, pair in ipairs(pairs) do before[i] = redis.call('HGET', user_key, pair_field(pair.slug)) end
  redis.call('DEL', user_key, recent_key, ids_key)
  for i, pair in ipairs(pairs) do
    local counters = change_share(pair.movie_key, before[i], pair.record)
    totals.watch_ms = totals.watch_ms + counters.watch_ms
    totals.effective_ms = totals.effective_ms + counters.effective_ms
    totals.unique_cells = totals.unique_cells + counters.unique_cells
    totals.events = totals.events + counters.events
    totals.movies = totals.movies + 1
    redis.call('HSET', user_key, pair_field(pair.slug), pair.record)
    redis.call('ZADD', recent_key, string.format('%.0f', counters.latest_us), pair.slug)
    if pair.coverage == '' then
      redis.call('DEL', pair.coverage_key)
    else
      redis.call('SET', pair.coverage_key, pair.coverage)
    end
    for _, session in ipairs(pair.sessions) do
      redis.call('HSET', user_key, session_field(pair.slug, session.name), session.record)
    end
  end
  redis.call('HSET', user_key, TOTALS_FIELD, pack_user(totals))
  for i = 1, ids do redis.call('ZADD', ids_key, args[2 * i + 1], args[2 * i + 2]) end
  return 1
end

register('put_user', put_user)
