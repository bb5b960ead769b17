-- A pair as clients read it, all of it from one moment.
--
-- KEYS  1 log hash
-- ARGV  1 user   2 slug
-- REPLY {pair record or false, coverage or false, 1 if the user may be in Postgres only, else 0}

local function read_pair(keys, args)
  local tag, name, slug = tag_of(keys[1]), args[1], args[2]
  local record = get_user(tag, name)
  local pair = record and find_pair(tag, read_user_record(name, record), slug)
  return {
    pair and pack_pair(pair), pair and read_coverage(pair, coverage_key(tag, name, slug)),
    may_be_evicted(record, keys[1]),
  }
end

-- KEYS  1 log hash   ARGV  1 user   REPLY {user record or false, 1 if the user may be in Postgres only, else 0}
local function read_user(keys, args)
  local record = get_user(tag_of(keys[1]), args[1])
  return { record and totals_of(record), may_be_evicted(record, keys[1]) }
end

register('read_pair', read_pair, 'no-writes')
register('read_user', read_user, 'no-writes')
