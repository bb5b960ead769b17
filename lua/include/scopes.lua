-- Scopes: what was played of a pair counts in its lifetime and, apart from that, in its current scope, the one that its
-- record names. Scope 0 is the lifetime itself until a cut ends it; from then on each scope has counters of its own, shaped
-- like a pair's. Whoever is never cut has none of this, and pays for none of it.
--
-- The current scope of the pair that a user is at lies in the user's record, behind the session, and has a tail as the pair
-- does (include/coverage.lua); all others are in the user's hash of scopes, and all of theirs is in their bitmaps.

-- A scope of a pair from its record; zeros where there is none.
local function scope_of(pair, scope, record)
  local counters = read_pair_record(pair.slug, record)
  counters.user, counters.of_scope, counters.scope = pair.user, scope, scope
  return counters
end

-- One of a pair's scopes: zeros where nothing was counted in it.
local function read_scope(tag, pair, scope)
  if scope == pair.scope and pair.current then return pair.current end
  return scope_of(pair, scope, redis.call('HGET', scopes_key(tag, pair.user.name), scope_field(pair.slug, scope)))
end

-- The current scope of a pair that was cut.
local function open_scope(run, tag, pair)
  local counters = read_scope(tag, pair, pair.scope)
  if not counters.listed then run.scopes[#run.scopes + 1] = counters end
  pair.current, counters.listed = counters, true
  return counters
end

-- The lifetime so far is what was played in scope 0, and stays so.
local function keep_first_scope(run, tag, pair)
  local first = scope_of(pair, 0, pack_pair(pair))
  first.changed = true
  run.scopes[#run.scopes + 1] = first
  local coverage = read_coverage(pair, bitmap_of(pair, tag))
  if coverage then redis.call('SET', bitmap_of(first, tag), coverage) end
end

-- Begins the next scope of a user's pair. Gives false where nothing was counted in the current one: then it goes on.
local function cut_pair(run, tag, pair)
  local played = pair.scope > 0 and open_scope(run, tag, pair) or pair
  if played.events == 0 then return false end
  if pair.scope == 0 then keep_first_scope(run, tag, pair) end
  played.changed = true -- into the hash, also where nothing of this run was counted in it
  pair.scope, pair.changed = pair.scope + 1, true
  pair.current = scope_of(pair, pair.scope, false)
  return true
end

local function put_scope(tag, counters)
  flush_tail(counters, tag)
  redis.call('HSET', scopes_key(tag, counters.user.name), scope_field(counters.slug, counters.of_scope),
    pack_pair(counters))
end

-- {number, record, coverage or false, ...} of all scopes of a pair that was cut in which anything was counted.
local function read_scopes(tag, pair)
  local found = {}
  for scope = 0, pair.scope do
    local counters = read_scope(tag, pair, scope)
    if counters.events > 0 then
      local n = #found
      found[n + 1], found[n + 2] = scope, pack_pair(counters)
      found[n + 3] = read_coverage(counters, bitmap_of(counters, tag))
    end
  end
  return found
end

-- Removes all scopes of a user, the one in its record too.
local function forget_scopes(tag, user)
  local current = user.at and user.at.pair.current
  if current then redis.call('DEL', bitmap_of(current, tag)) end
  for _, field in ipairs(redis.call('HKEYS', scopes_key(tag, user.name))) do
    redis.call('DEL', scope_coverage_key(tag, user.name, field))
  end
  redis.call('DEL', scopes_key(tag, user.name))
end
