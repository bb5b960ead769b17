-- Images: all that is known of a user, as recovery and admission bring it from Postgres.
--
-- ARGV  name; when the user was active, us; the log's count of events that the image contains; how long ids are kept, ms;
--       how many ids; then for each: time of receipt in us, id; how many pairs; then for each pair: slug, pair record,
--       coverage, how many sessions, how many scopes; then for each session: name, session record; then for each scope:
--       number, record, coverage

local function read_image(args, at)
  local image = {
    name = args[at], active_us = tonumber(args[at + 1]), appended = tonumber(args[at + 2]), ids_kept_ms = args[at + 3],
    ids = {}, pairs = {},
  }
  local ids = tonumber(args[at + 4])
  at = at + 5
  for n = 1, ids do
    image.ids[n] = { received_us = args[at], id = args[at + 1] }
    at = at + 2
  end
  local pairs = tonumber(args[at])
  at = at + 1
  for i = 1, pairs do
    local pair = { slug = args[at], record = args[at + 1], coverage = args[at + 2], sessions = {}, scopes = {} }
    local sessions, scopes = tonumber(args[at + 3]), tonumber(args[at + 4])
    at = at + 5
    for n = 1, sessions do
      pair.sessions[n] = { name = args[at], record = args[at + 1] }
      at = at + 2
    end
    for n = 1, scopes do
      pair.scopes[n] = { number = args[at], record = args[at + 1], coverage = args[at + 2] }
      at = at + 3
    end
    image.pairs[i] = pair
  end
  return image
end

local function write_pair(tag, user, pair)
  local key = pairs_key(tag, user)
  redis.call('HSET', key, pair_field(pair.slug), pair.record)
  local latest_us = read_pair_record(pair.slug, pair.record).latest_us
  redis.call('ZADD', recent_key(tag, user), string.format('%.0f', latest_us), pair.slug)
  if pair.coverage ~= '' then redis.call('SET', coverage_key(tag, user, pair.slug), pair.coverage) end
  for _, session in ipairs(pair.sessions) do
    redis.call('HSET', key, session_field(pair.slug, session.name), session.record)
  end
  for _, scope in ipairs(pair.scopes) do
    local field = scope_field(pair.slug, scope.number)
    redis.call('HSET', scopes_key(tag, user), field, scope.record)
    if scope.coverage ~= '' then redis.call('SET', scope_coverage_key(tag, user, field), scope.coverage) end
  end
end

-- Writes the image where nothing of the user is. The user's totals are the sums of its pairs.
local function write_image(tag, image)
  local user = read_user_record(image.name, false)
  for _, pair in ipairs(image.pairs) do
    local counters = read_pair_record(pair.slug, pair.record)
    user.watch_ms = user.watch_ms + counters.watch_ms
    user.effective_ms = user.effective_ms + counters.effective_ms
    user.unique_cells = user.unique_cells + counters.unique_cells
    user.events = user.events + counters.events
    user.movies = user.movies + 1
    write_pair(tag, image.name, pair)
  end
  user.active_us, user.appended = image.active_us, image.appended
  redis.call('SET', user_key(tag, image.name), pack_totals(user))
  for _, remembered in ipairs(image.ids) do
    redis.call('ZADD', ids_key(tag, image.name), remembered.received_us, remembered.id)
  end
  if #image.ids > 0 then redis.call('PEXPIRE', ids_key(tag, image.name), image.ids_kept_ms) end
end

-- The fields of all pairs and sessions of a user: those in its hash, and those it is at, which may be among them.
local function fields_of(tag, user)
  local fields = redis.call('HKEYS', pairs_key(tag, user.name))
  if user.at then
    fields[#fields + 1] = pair_field(user.at.pair.slug)
    fields[#fields + 1] = session_field(user.at.pair.slug, user.at.name)
  end
  return fields
end

-- The slugs of a user's pairs, each once.
local function slugs_of(tag, user)
  local slugs, known = {}, {}
  for _, field in ipairs(fields_of(tag, user)) do
    local slug = slug_of(field)
    if slug and not known[slug] then
      slugs[#slugs + 1], known[slug] = slug, true
    end
  end
  return slugs
end

local function read_user_at(tag, name)
  return read_user_record(name, get_user(tag, name))
end

-- Removes everything of a user but what it gave to movies.
local function forget_user(tag, user)
  for _, slug in ipairs(slugs_of(tag, user)) do redis.call('DEL', coverage_key(tag, user.name, slug)) end
  forget_scopes(tag, user)
  local name = user.name
  redis.call('DEL', user_key(tag, name), stride_key(tag, name), pairs_key(tag, name), recent_key(tag, name), ids_key(tag, name))
end
