-- Strings under plain keys, and records of pairs that their users may have left: all of one moment.
--
-- KEYS  1 log hash of any partition of this server
-- ARGV  1 how many keys   2 and on: the keys, of any of its partitions; then of each pair: the place of its user's stride
--       among the keys, which the user's record follows; slug
-- REPLY what is under the keys, then of each pair the record in its user's hash; false for what is not there, and for a
--       pair that its user is at or whose user is not here

local function is_at(stride, slug)
  return stride and struct_unpack('>I2c0', stride, STRIDE_BYTES + 1) == slug
end

-- The key of the hash of pairs of the user whose stride is under this key.
local function pairs_key_at(key)
  local tag = tag_of(key)
  return pairs_key(tag, string_sub(key, #stride_key(tag, '') + 1))
end

local function fetch(_, args)
  local count = tonumber(args[1])
  local found = redis_call('MGET', unpack(args, 2, count + 1)) -- far fewer than AT_ONCE: service/counters/fetching.py
  for at = count + 2, #args, 2 do
    local place, slug = tonumber(args[at]), args[at + 1]
    local is_left = found[place + 1] and not is_at(found[place], slug)
    found[#found + 1] = is_left and redis_call('HGET', pairs_key_at(args[place + 1]), pair_field(slug))
  end
  return found
end

register('fetch', fetch, 'no-writes')
