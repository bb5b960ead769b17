-- Coverage: which seconds of the timeline were seen: a bitmap with one bit for each, and the pair's tail.
--
-- The tail is a span of seen cells [tail_first, tail_after) in the record of a user's latest pair (include/records.lua),
-- around where the user is; what of it is not in the bitmap yet joins it when the tail moves elsewhere. Behind it the
-- cells [tail_after, unseen_until) are in neither. So who watches on, be it for the first time or again, only moves
-- `tail_after`, without any command, and what is new is known without asking, until something seen is reached.

local CELL_MS = 1000

local UNBOUNDED = 2 ^ 32 - 1 -- `unseen_until` where nothing was seen behind the tail

local WORD_CELLS = 32 -- what one BITFIELD operation sets and returns without losing bits to a double

-- For each number of cells in a word: BITFIELD's name for it, and all its ones, as a number and spelled.
local WORD_TYPES, WORD_ONES, WORD_ONES_SPELLED = {}, {}, {}
for cells = 1, WORD_CELLS do
  WORD_TYPES[cells] = 'u' .. cells
  WORD_ONES[cells] = 2 ^ cells - 1
  WORD_ONES_SPELLED[cells] = 2 ^ cells - 1 .. ''
end

-- How many bits of a number below 2^32 are set.
local function count_bits(word)
  local count = 0
  while word > 0 do
    word = bit.band(word, word - 1)
    if word < 0 then word = word + 4294967296 end
    count = count + 1
  end
  return count
end

-- Ones from bit `first` on, `cells` of them, at most eight, within one byte.
local function add_ones(operations, first, cells)
  if cells > 0 then
    local n = #operations
    operations[n + 1], operations[n + 2], operations[n + 3], operations[n + 4] = 'SET', 'u' .. cells, first, 2 ^ cells - 1
  end
end

-- Many cells: whole bytes in one SETRANGE, the ragged ends in one BITFIELD. Nothing is written where all were seen.
local function mark_long(key, first, cells)
  local fresh = cells - redis.call('BITCOUNT', key, first, first + cells - 1, 'BIT')
  if fresh == 0 then return 0 end
  local head = (8 - first % 8) % 8
  local bytes = math.floor((cells - head) / 8)
  redis.call('SETRANGE', key, (first + head) / 8, string.rep('\255', bytes))
  local ragged = {}
  add_ones(ragged, first, head)
  add_ones(ragged, first + head + bytes * 8, cells - head - bytes * 8)
  if #ragged > 0 then redis.call('BITFIELD', key, unpack(ragged)) end
  return fresh
end

-- A few cells: one BITFIELD, whose answer says what was there before.
local function mark_short(key, first, cells)
  local before = redis.call('BITFIELD', key, 'SET', WORD_TYPES[cells], first, WORD_ONES_SPELLED[cells])[1]
  if before == 0 then return cells end
  if before == WORD_ONES[cells] then return 0 end
  return cells - count_bits(before)
end

-- Marks `cells` from `first` on in the bitmap. Gives how many were not seen before.
local function mark_bitmap(key, first, cells)
  if cells > WORD_CELLS then return mark_long(key, first, cells) end
  return mark_short(key, first, cells)
end

-- The key of a pair's bitmap. Spelled where it is needed, which it seldom is.
local function bitmap_of(pair, tag)
  if pair.of_scope then return scope_coverage_key(tag, pair.user.name, scope_field(pair.slug, pair.of_scope)) end
  return coverage_key(tag, pair.user.name, pair.slug)
end

-- Lets the tail join the bitmap.
local function flush_tail(pair, tag)
  if pair.tail_after > pair.tail_first then
    mark_bitmap(bitmap_of(pair, tag), pair.tail_first, pair.tail_after - pair.tail_first)
    pair.tail_first = pair.tail_after
  end
end

-- Where the seen cells that begin with `cell` end, and the next seen ones begin.
local function find_unseen(key, cell)
  local after = redis_call('BITPOS', key, 0, cell, -1, 'BIT')
  if after == -1 then after = redis_call('STRLEN', key) * 8 end -- all of the bitmap was seen from there on
  after = math.max(after, cell)
  local next = redis_call('BITPOS', key, 1, after, -1, 'BIT')
  return after, next == -1 and UNBOUNDED or next
end

-- Moves the tail to where `cell` is. Nothing was ever seen behind `furthest_ms`.
local function move_tail(pair, tag, cell)
  flush_tail(pair, tag)
  local after, next = cell, UNBOUNDED
  if cell * CELL_MS < pair.furthest_ms then after, next = find_unseen(bitmap_of(pair, tag), cell) end
  pair.tail_first, pair.tail_after, pair.unseen_until = cell, after, next
end

local function is_in_tail(pair, cell)
  return cell >= pair.tail_first and cell <= pair.tail_after
end

-- Marks the cells [first, after) of a pair. Gives how many were not seen before.
local function mark_cells(pair, tag, first, after)
  if not is_in_tail(pair, first) then move_tail(pair, tag, first) end
  local fresh = math.max(0, after - pair.tail_after)
  if after < pair.unseen_until then
    pair.tail_after = pair.tail_after + fresh
    return fresh
  end
  flush_tail(pair, tag)
  fresh = mark_bitmap(bitmap_of(pair, tag), first, after - first)
  pair.tail_first, pair.tail_after, pair.unseen_until = first, find_unseen(bitmap_of(pair, tag), first)
  return fresh
end

-- Marks the cells of the span [start_ms, end_ms): floor(start) to ceil(end) - 1. Gives how many were not seen before.
local function mark_span(pair, tag, start_ms, end_ms)
  if end_ms <= start_ms then return 0 end
  local first = math.floor(start_ms / CELL_MS)
  local fresh = mark_cells(pair, tag, first, math.ceil(end_ms / CELL_MS))
  -- What was seen from the start on goes on to where the tail ends, if the span begins in it.
  if first <= pair.verified_cells then pair.verified_cells = math.max(pair.verified_cells, pair.tail_after) end
  return fresh
end

-- For cells most of which were seen before: nothing is written where all were.
local function mark_again(key, first, cells)
  if cells > WORD_CELLS then return mark_long(key, first, cells) end
  if redis.call('BITCOUNT', key, first, first + cells - 1, 'BIT') == cells then return 0 end
  return mark_short(key, first, cells)
end

local function by_first(one, other)
  return one[1] < other[1]
end

-- Marks many spans, most of which were marked before: those of a claim, which says again all that it said last time.
-- `ranges` has {first cell, cell after the last} for each. They are joined, so that a claim which names a stretch a
-- thousand times writes it once. All is in the bitmap then, and there is no tail.
local function mark_ranges(pair, tag, ranges)
  if #ranges == 0 then return 0 end
  flush_tail(pair, tag)
  pair.tail_first, pair.tail_after, pair.unseen_until = 0, 0, 0
  table.sort(ranges, by_first)
  local key, fresh, first, after = bitmap_of(pair, tag), 0, ranges[1][1], ranges[1][2]
  for i = 2, #ranges do
    local range = ranges[i]
    if range[1] <= after then
      after = math.max(after, range[2])
    else
      fresh = fresh + mark_again(key, first, after - first)
      first, after = range[1], range[2]
    end
  end
  fresh = fresh + mark_again(key, first, after - first)
  -- From the byte on in which it ended. Past the end of the bitmap, -1: there no 0 can be found.
  local cells = pair.verified_cells
  pair.verified_cells = math.max(cells, redis_call('BITPOS', key, 0, math.floor(cells / 8)))
  return fresh
end

-- A byte with ones from bit `first` to before bit `after`, the highest bit being 0.
local function byte_of_ones(first, after)
  return 2 ^ (8 - first) - 2 ^ (8 - after)
end

-- The byte of a bitmap at `place`, with ones from bit `first` to before bit `after`.
local function byte_with(bitmap, place, first, after)
  return string.char(bit.bor(string.byte(bitmap, place + 1) or 0, byte_of_ones(first, after)))
end

-- All that a pair covers, as one bitmap; false where that is nothing.
local function read_coverage(pair, key)
  local bitmap, first, after = redis.call('GET', key), pair.tail_first, pair.tail_after
  if after == first then return bitmap end
  bitmap = bitmap or ''
  local place, last = math.floor(first / 8), math.floor((after - 1) / 8)
  local head, rest = string.sub(bitmap, 1, place) .. string.rep('\0', place - #bitmap), string.sub(bitmap, last + 2)
  if last == place then return head .. byte_with(bitmap, place, first % 8, after - place * 8) .. rest end
  return head .. byte_with(bitmap, place, first % 8, 8) .. string.rep('\255', last - place - 1)
    .. byte_with(bitmap, last, 0, after - last * 8) .. rest
end
