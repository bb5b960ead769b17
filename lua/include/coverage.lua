-- Coverage: a bitmap with one bit a second of timeline.

local CELL_MS = 1000
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

-- Mark the cells of the span [start_ms, end_ms): floor(start) to ceil(end) - 1. Gives how many were not seen before.
local function mark_span(key, start_ms, end_ms)
  if end_ms <= start_ms then return 0 end
  local first = math.floor(start_ms / CELL_MS)
  local cells = math.ceil(end_ms / CELL_MS) - first
  if cells > WORD_CELLS then return mark_long(key, first, cells) end
  return mark_short(key, first, cells)
end

local function by_first(one, other)
  return one[1] < other[1]
end

-- Mark many spans, most of which were marked before: those of a claim, which says again all that it said last time.
-- `ranges` has {first cell, cell after the last} for each. They are joined, so that a claim which names a stretch a
-- thousand times writes it once.
local function mark_ranges(key, ranges)
  if #ranges == 0 then return 0 end
  table.sort(ranges, by_first)
  local fresh, first, after = 0, ranges[1][1], ranges[1][2]
  local function mark()
    local cells = after - first
    if cells > WORD_CELLS then
      fresh = fresh + mark_long(key, first, cells)
    elseif redis.call('BITCOUNT', key, first, after - 1, 'BIT') < cells then
      fresh = fresh + mark_short(key, first, cells)
    end
  end
  for i = 2, #ranges do
    local range = ranges[i]
    if range[1] <= after then
      after = math.max(after, range[2])
    else
      mark()
      first, after = range[1], range[2]
    end
  end
  mark()
  return fresh
end
