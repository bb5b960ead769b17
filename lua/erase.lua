-- Erases a user: takes its share out of the movies, forgets everything, and appends an entry that tells the flusher.
--
-- Until Postgres has erased the user too, an empty record stays in its place: without it the user would be brought back
-- from there with the next event.
--
-- KEYS  1 stream   2 log hash
-- ARGV  1 what names the user, its movies and its pairs (include/run.lua)   2 the name of this server
-- REPLY {id of the entry, user record, sessions forgotten, ids forgotten}
-- ERROR CLOSED the partition is not known to be level with Postgres; STALE the user is not here any more, or has a
--       pair that is not named. Nothing was changed

local function count_sessions(fields)
  local known, count = {}, 0
  for _, field in ipairs(fields) do
    if not slug_of(field) and not known[field] then
      known[field], count = true, count + 1
    end
  end
  return count
end

-- Whether the user has a pair that the run does not name.
local function has_other_pairs(tag, user, run)
  local named = {}
  for _, slug in ipairs(run.slugs) do named[slug] = true end
  for _, slug in ipairs(slugs_of(tag, user)) do
    if not named[slug] then return true end
  end
  return false
end

-- What the movies lose: all that the user's pairs gave to them.
local function take_shares(run, tag, user)
  for _, movie in ipairs(run.movies) do
    local pair = open_pair(run, tag, user, movie.slug)
    movie.watch_ms = movie.watch_ms - pair.watch_ms
    movie.effective_ms = movie.effective_ms - pair.effective_ms
    movie.unique_cells = movie.unique_cells - pair.unique_cells
    movie.events = movie.events - pair.events
    movie.viewers = movie.viewers - 1
    redis.call('SET', movie_key(tag, movie.slug), pack_movie(movie))
  end
end

local function erase(keys, args)
  local stream_key, log_key, tag = keys[1], keys[2], tag_of(keys[1])
  local run = open_names(args[1], tag)
  local log = redis.call('HMGET', log_key, 'appended', 'open')
  if log[2] ~= args[2] then return redis.error_reply('CLOSED this partition is being recovered') end
  load_records({ run }, true)
  local user = user_of(run, tag, 1)
  if not run.records[1] then return redis.error_reply('STALE the user is not here') end
  if has_other_pairs(tag, user, run) then return redis.error_reply('STALE the user has another pair') end

  take_shares(run, tag, user)
  local sessions, ids = count_sessions(fields_of(tag, user)), redis.call('ZCARD', ids_key(tag, user.name))
  forget_user(tag, user)
  local appended = tonumber(log[1] or 0) + 1
  local erased = read_user_record(user.name, false)
  erased.appended = appended
  redis.call('SET', user_key(tag, user.name), pack_totals(erased))
  redis.call('HINCRBY', log_key, 'erased', 1)
  return { append(run, stream_key, log_key, appended, 'E'), pack_totals(user), sessions, ids }
end

register('erase', erase, 'allow-oom')
