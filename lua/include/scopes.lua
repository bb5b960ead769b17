-- Scopes: what was played of a pair counts in its lifetime and, apart from that, in its current scope, the one that its
-- record names. Scope 0 is the lifetime itself until a cut ends it; from then on each scope has counters of its own, shaped
-- like a pair's. Whoever is never cut has none of this, and pays for none of it.

-- The counters of one of a pair's scopes: zeros where nothing was counted in it.
local function read_scope(tag, pair, scope)
  local counters = read_pair_record(pair.slug,
    redis.call('HGET', scopes_key(tag, pair.user.name), scope_field(pair.slug, scope)))
  counters.user, counters.of_scope, counters.scope = pair.user, scope, scope
  return counters
end

-- The counters of the current scope of a pair that was cut.
local function open_scope(run, tag, pair)
  if not pair.current then
    pair.current = read_scope(tag, pair, pair.scope)
    run.scopes[#run.scopes + 1] = pair.current
  end
  return pair.current
end

-- The lifetime so far is what was played in scope 0, and stays so.
local function keep_first_scope(run, tag, pair)
  local first = read_pair_record(pair.slug, pack_pair(pair))
  first.user, first.of_scope, first.changed = pair.user, 0, true
  run.scopes[#run.scopes + 1] = first
  local coverage = read_coverage(pair, bitmap_of(pair, tag))
  if coverage then redis.call('SET', bitmap_of(first, tag), coverage) end
end

-- Begins the next scope of a user's pair. Gives false where nothing was counted in the current one: then it goes on.
local function cut_pair(run, tag, pair)
  local played = pair.scope > 0 and open_scope(run, tag, pair) or pair
  if played.events == 0 then return false end
  if pair.scope == 0 then keep_first_scope(run, tag, pair) end
  pair.scope, pair.current, pair.changed = pair.scope + 1, false, true
  return true
end

local function save_scopes(run, tag)
  for _, counters in ipairs(run.scopes) do
    if counters.changed then
      flush_tail(counters, tag)
      redis.call('HSET', scopes_key(tag, counters.user.name), scope_field(counters.slug, counters.of_scope),
        pack_pair(counters))
    end
  end
end

-- {number, record, coverage or false, ...} of all scopes of a pair that was cut in which anything was counted.
local function read_scopes(tag, pair)
  local found = {}
  for scope = 0, pair.scope do
    local counters = read_scope(tag, pair, scope)
    if counters.events > 0 then
      local n = #found
      found[n + 1], found[n + 2] = scope, pack_pair(counters)
      found[n + 3] = redis.call('GET', bitmap_of(counters, tag))
    end
  end
  return found
end

local function forget_scopes(tag, name)
  for _, field in ipairs(redis.call('HKEYS', scopes_key(tag, name))) do
    redis.call('DEL', scope_coverage_key(tag, name, field))
  end
  redis.call('DEL', scopes_key(tag, name))
end
