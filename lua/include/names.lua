-- The keys of a partition, spelled as in service/counters/keys.py. Scripts are given one key of the partition and spell the
-- others themselves: all carry its hash tag, so all are in its slot, and a run of a thousand events need not send five
-- thousand keys that nearly all of them do not touch.

-- What every key of the partition begins with.
local function tag_of(key)
  return string.match(key, '^{p%d+}:')
end

local function user_key(tag, user) return tag .. 'user:' .. user end
local function stride_key(tag, user) return tag .. 'stride:' .. user end
local function pairs_key(tag, user) return tag .. 'pairs:' .. user end
local function recent_key(tag, user) return tag .. 'recent:' .. user end
local function ids_key(tag, user) return tag .. 'ids:' .. user end
local function movie_key(tag, slug) return tag .. 'movie:' .. slug end

-- The length keeps `a:b` + `c` and `a` + `b:c` apart, here and below.
local function coverage_key(tag, user, slug)
  return tag .. 'coverage:' .. #user .. ':' .. user .. slug
end

-- What was played of pairs in scopes of their own (include/scopes.lua): a hash of records, and their bitmaps.
local function scopes_key(tag, user) return tag .. 'scopes:' .. user end

local function scope_field(slug, scope)
  return scope .. ':' .. slug
end

local function scope_coverage_key(tag, user, field)
  return tag .. 'scoped:' .. #user .. ':' .. user .. field
end

-- The fields of a user's hash of pairs.
local function pair_field(slug)
  return 'm:' .. slug
end

local function session_field(slug, session)
  return 's:' .. #slug .. ':' .. slug .. session
end

-- The slug that a pair's field names, or nil where it is a session's.
local function slug_of(field)
  return string.sub(field, 1, 2) == 'm:' and string.sub(field, 3) or nil
end
