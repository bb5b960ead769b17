-- Erases a user: takes its share out of the movies, forgets everything, and appends an entry that tells the flusher.
--
-- Until Postgres has erased the user too, an empty record stays in its place: without it the user would be brought back
-- from there with the next event.
--
-- KEYS  1 stream   2 log hash; then as in apply.lua for the user, its movies and its pairs
-- ARGV  1 a run that names them, without events (include/run.lua)   2 the name of this server
-- REPLY {id of the entry, user record, sessions forgotten, ids forgotten}
-- ERROR CLOSED the partition is not known to be level with Postgres; STALE the user is not here any more, or has a
--       pair that is not named. Nothing was changed

local function count_sessions(user_key)
  local count = 0
  for _, field in ipairs(redis.call('HKEYS', user_key)) do
    if string.sub(field, 1, 2) == 's:' then count = count + 1 end
  end
  return count
end

-- What the movies lose: all that the user's pairs gave to them.
local function take_shares(run)
  for _, pair in ipairs(run.pairs) do
    local movie = run.movies[pair.movie]
    local counters = unpack_pair(redis.call('HGET', run.users[1].key, pair_field(movie.slug)))
    local share = unpack_movie(redis.call('GET', movie.key))
    share.watch_ms = share.watch_ms - counters.watch_ms
    share.effective_ms = share.effective_ms - counters.effective_ms
    share.unique_cells = share.unique_cells - counters.unique_cells
    share.events = share.events - counters.events
    share.viewers = share.viewers - 1
    redis.call('SET', movie.key, pack_movie(share))
  end
end

local function erase(keys, args)
  local stream_key, log_key = keys[1], keys[2]
  local run = open_run(args[1])
  bind_keys(run, keys, 3)
  local user, slugs = run.users[1], {}
  user.record = redis.call('HGET', user.key, TOTALS_FIELD)
  for i, movie in ipairs(run.movies) do slugs[i] = movie.slug end
  local log = redis.call('HMGET', log_key, 'appended', 'open')
  if log[2] ~= args[2] then return redis.error_reply('CLOSED this partition is being recovered') end
  if not user.record then return redis.error_reply('STALE the user is not here') end
  if has_other_pairs(user.key, slugs) then return redis.error_reply('STALE the user has another pair') end

  take_shares(run)
  local sessions, ids = count_sessions(user.key), redis.call('ZCARD', user.ids_key)
  redis.call('DEL', user.key, user.recent_key, user.ids_key)
  for _, pair in ipairs(run.pairs) do redis.call('DEL', pair.coverage_key) end
  local appended = tonumber(log[1] or 0) + 1
  local erased = unpack_user(false)
  erased.appended = appended
  redis.call('HSET', user.key, TOTALS_FIELD, pack_user(erased))
  redis.call('HINCRBY', log_key, 'erased', 1)
  return { append(run, stream_key, log_key, appended, 'E'), user.record, sessions, ids }
end

register('erase', erase, 'allow-oom')
