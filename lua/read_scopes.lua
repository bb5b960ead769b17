-- A pair with what was played of it in each of its scopes, all of it from one moment.
--
-- KEYS  1 log hash
-- ARGV  1 user   2 slug
-- REPLY {pair record or false, coverage or false, 1 if the user may be in Postgres only, else 0, scopes}; the scopes of a
--       pair that was cut are number, record, coverage or false, of each in which anything was counted

local function read_pair_scopes(keys, args)
  local tag, name, slug = tag_of(keys[1]), args[1], args[2]
  local record = redis.call('GET', user_key(tag, name))
  local user = read_user_record(name, record)
  local pair = record and find_pair(tag, user, slug)
  if not pair then return { false, false, may_be_evicted(record, keys[1]), {} } end
  pair.user = user
  return {
    pack_pair(pair), read_coverage(pair, bitmap_of(pair, tag)), 0, pair.scope > 0 and read_scopes(tag, pair) or {},
  }
end

register('read_scopes', read_pair_scopes, 'no-writes')
