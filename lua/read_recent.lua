-- A page of a user's pairs, latest first; those at the same moment by slug, descending.
--
-- KEYS  1 user hash   2 recent sorted set, slug by the time of its latest event in us   3 log hash
-- ARGV  1 pairs wanted at most   2 time of the last pair of the page before in us, or ""   3 its slug
-- REPLY {user record or false, 1 if the user may be in Postgres only else 0, slug, time, pair record, slug, ...}

-- Whether a string comes after another one byte by byte, as sorted sets have it: `>` goes by the server's locale.
local function is_after(text, other)
  for i = 1, math.min(#text, #other) do
    local mine, theirs = string.byte(text, i), string.byte(other, i)
    if mine ~= theirs then return mine > theirs end
  end
  return #text > #other
end

local function read_recent(keys, args)
  local wanted, time_us, slug = tonumber(args[1]), args[2], args[3]
  local found = {}
  if time_us == '' then
    found = redis.call('ZREVRANGE', keys[2], 0, wanted - 1, 'WITHSCORES')
  else
    -- The pairs of that very moment come again, and the ones that the page before had are passed over.
    local offset, batch = 0, nil
    repeat
      batch = redis.call('ZREVRANGEBYSCORE', keys[2], time_us, '-inf', 'WITHSCORES', 'LIMIT', offset, wanted)
      for i = 1, #batch, 2 do
        local passed = tonumber(batch[i + 1]) == tonumber(time_us) and not is_after(slug, batch[i])
        if not passed and #found < wanted * 2 then
          found[#found + 1], found[#found + 2] = batch[i], batch[i + 1]
        end
      end
      offset = offset + wanted
    until #found >= wanted * 2 or #batch < wanted * 2
  end
  local reply = { redis.call('HGET', keys[1], TOTALS_FIELD), may_be_evicted(keys[1], keys[3]) }
  for i = 1, #found, 2 do
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3] =
      found[i], found[i + 1], redis.call('HGET', keys[1], pair_field(found[i]))
  end
  return reply
end

register('read_recent', read_recent, 'no-writes')
