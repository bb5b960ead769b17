-- Pairs with what was played of each in each of its scopes; all of it from one moment.
--
-- KEYS  1 log hash
-- ARGV  of each pair: user, slug
-- REPLY of each pair, in order: {pair record or false, coverage or false, 1 if the user may be in Postgres only, else 0,
--       scopes}; the scopes of a pair that was cut are number, record, coverage or false, of each in which anything was
--       counted

local function read_one_pair(tag, name, slug, log)
  local record = get_user(tag, name)
  local user = read_user_record(name, record)
  local pair = record and find_pair(tag, user, slug)
  if not pair then return { false, false, may_be_evicted(record, log), {} } end
  pair.user = user
  return {
    pack_pair(pair), read_coverage(pair, bitmap_of(pair, tag)), 0, pair.scope > 0 and read_scopes(tag, pair) or {},
  }
end

local function read_pairs_scopes(keys, args)
  local tag, found = tag_of(keys[1]), {}
  for at = 1, #args, 2 do
    found[#found + 1] = read_one_pair(tag, args[at], args[at + 1], keys[1])
  end
  return found
end

register('read_scopes', read_pairs_scopes, 'no-writes')
