-- Images: all that is known of a user, as recovery and admission bring it from Postgres.
--
-- KEYS  user hash, recent sorted set, ids sorted set; then for each pair its coverage
-- ARGV  when the user was active, us; the log's count of events that the image contains; how long ids are kept, ms;
--       how many ids; then for each: time of receipt in us, id; how many pairs; then for each pair, in the order of KEYS:
--       slug, pair record, coverage, how many sessions; then for each session: name, session record

local function read_image(keys, args, key_at, at)
  local image = {
    user_key = keys[key_at], recent_key = keys[key_at + 1], ids_key = keys[key_at + 2],
    active_us = tonumber(args[at]), appended = tonumber(args[at + 1]), ids_kept_ms = args[at + 2], ids = {}, pairs = {},
  }
  local ids = tonumber(args[at + 3])
  at = at + 4
  for n = 1, ids do
    image.ids[n] = { received_us = args[at], id = args[at + 1] }
    at = at + 2
  end
  local pairs = tonumber(args[at])
  at = at + 1
  for i = 1, pairs do
    local pair = {
      coverage_key = keys[key_at + 2 + i], slug = args[at], record = args[at + 1], coverage = args[at + 2], sessions = {},
    }
    local sessions = tonumber(args[at + 3])
    at = at + 4
    for n = 1, sessions do
      pair.sessions[n] = { name = args[at], record = args[at + 1] }
      at = at + 2
    end
    image.pairs[i] = pair
  end
  return image
end

local function write_pair(image, pair)
  redis.call('HSET', image.user_key, pair_field(pair.slug), pair.record)
  redis.call('ZADD', image.recent_key, string.format('%.0f', unpack_pair(pair.record).latest_us), pair.slug)
  if pair.coverage ~= '' then redis.call('SET', pair.coverage_key, pair.coverage) end
  for _, session in ipairs(pair.sessions) do
    redis.call('HSET', image.user_key, session_field(pair.slug, session.name), session.record)
  end
end

-- Writes the image where nothing of the user is. The user's totals are the sums of its pairs.
local function write_image(image)
  local totals = unpack_user(false)
  for _, pair in ipairs(image.pairs) do
    local counters = unpack_pair(pair.record)
    totals.watch_ms = totals.watch_ms + counters.watch_ms
    totals.effective_ms = totals.effective_ms + counters.effective_ms
    totals.unique_cells = totals.unique_cells + counters.unique_cells
    totals.events = totals.events + counters.events
    totals.movies = totals.movies + 1
    write_pair(image, pair)
  end
  totals.active_us, totals.appended = image.active_us, image.appended
  redis.call('HSET', image.user_key, TOTALS_FIELD, pack_user(totals))
  for _, remembered in ipairs(image.ids) do
    redis.call('ZADD', image.ids_key, remembered.received_us, remembered.id)
  end
  if #image.ids > 0 then redis.call('PEXPIRE', image.ids_key, image.ids_kept_ms) end
end

-- The slugs of a user's pairs.
local function slugs_of(user_key)
  local slugs = {}
  for _, field in ipairs(redis.call('HKEYS', user_key)) do
    if string.sub(field, 1, 2) == 'm:' then slugs[#slugs + 1] = string.sub(field, 3) end
  end
  return slugs
end

-- Whether the user has another pair than these: its coverage would be left behind.
local function has_other_pairs(user_key, slugs)
  local named = {}
  for _, slug in ipairs(slugs) do named[slug] = true end
  for _, slug in ipairs(slugs_of(user_key)) do
    if not named[slug] then return true end
  end
  return false
end
