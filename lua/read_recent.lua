-- A page of a user's pairs, latest first; those at the same moment by slug, descending.
--
-- KEYS  1 log hash
-- ARGV  1 user   2 pairs wanted at most   3 time of the last pair of the page before in us, or ""   4 its slug
-- REPLY {user record or false, 1 if the user may be in Postgres only else 0, slug, pair record, slug, ...}

-- Whether a string comes after another one byte by byte, as sorted sets have it: `>` goes by the server's locale.
local function is_after(text, other)
  for i = 1, math.min(#text, #other) do
    local mine, theirs = string.byte(text, i), string.byte(other, i)
    if mine ~= theirs then return mine > theirs end
  end
  return #text > #other
end

-- Whether a pair comes before another one on the page.
local function is_later(slug, time_us, other_slug, other_time_us)
  if time_us ~= other_time_us then return time_us > other_time_us end
  return is_after(slug, other_slug)
end

-- Pairs of the sorted set after the given one: {slug, time}. The pair that the user is at is not told from there, where
-- it may be with an older time, or not at all.
local function find_others(key, wanted, after_us, after_slug, at_slug)
  local found, offset, batch = {}, 0, nil
  repeat
    batch = redis.call('ZREVRANGEBYSCORE', key, after_us or '+inf', '-inf', 'WITHSCORES', 'LIMIT', offset, wanted)
    for i = 1, #batch, 2 do
      local slug, time_us = batch[i], tonumber(batch[i + 1])
      -- The pairs of that very moment come again, and the ones that the page before had are passed over.
      local passed = after_us and not is_later(after_slug, tonumber(after_us), slug, time_us)
      if slug ~= at_slug and not passed and #found < wanted then found[#found + 1] = { slug, time_us } end
    end
    offset = offset + wanted
  until #found >= wanted or #batch < wanted * 2
  return found
end

-- Puts the pair that the user is at into its place.
local function insert_at(found, wanted, pair, after_us, after_slug)
  if after_us and not is_later(after_slug, tonumber(after_us), pair.slug, pair.latest_us) then return end
  local place = 1
  while found[place] and is_later(found[place][1], found[place][2], pair.slug, pair.latest_us) do place = place + 1 end
  table.insert(found, place, { pair.slug, pair.latest_us })
  if #found > wanted then table.remove(found) end
end

local function read_recent(keys, args)
  local tag, name, wanted = tag_of(keys[1]), args[1], tonumber(args[2])
  local after_us, after_slug = args[3] ~= '' and args[3], args[4]
  local record = get_user(tag, name)
  local reply = { record and totals_of(record), may_be_evicted(record, keys[1]) }
  if not record then return reply end
  local user = read_user_record(name, record)
  local at = user.at and user.at.pair
  local found = find_others(recent_key(tag, name), wanted, after_us, after_slug, at and at.slug)
  if at then insert_at(found, wanted, at, after_us, after_slug) end
  for _, one in ipairs(found) do
    local n = #reply
    reply[n + 1], reply[n + 2] = one[1], pack_pair(find_pair(tag, user, one[1]))
  end
  return reply
end

register('read_recent', read_recent, 'no-writes')
