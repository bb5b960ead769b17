-- Coverage: a bitmap with one bit a second of timeline.

local CELL_MS = 1000
local WORD_CELLS = 32 -- what one BITFIELD operation sets and returns without losing bits to a double

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

-- Many cells: whole bytes in one SETRANGE, the ragged ends in one BITFIELD.
local function mark_long(key, first, cells)
  local fresh = cells - redis.call('BITCOUNT', key, first, first + cells - 1, 'BIT')
  local head = (8 - first % 8) % 8
  local bytes = math.floor((cells - head) / 8)
  redis.call('SETRANGE', key, (first + head) / 8, string.rep('\255', bytes))
  local ragged = {}
  add_ones(ragged, first, head)
  add_ones(ragged, first + head + bytes * 8, cells - head - bytes * 8)
  if #ragged > 0 then redis.call('BITFIELD', key, unpack(ragged)) end
  return fresh
end

-- Mark the cells of the span [start_ms, end_ms): floor(start) to ceil(end) - 1. Gives how many were not seen before.
local function mark_span(key, start_ms, end_ms)
  if end_ms <= start_ms then return 0 end
  local first = math.floor(start_ms / CELL_MS)
  local cells = math.ceil(end_ms / CELL_MS) - first
  if cells > WORD_CELLS then return mark_long(key, first, cells) end
  local ones = 2 ^ cells - 1
  local before = redis.call('BITFIELD', key, 'SET', 'u' .. cells, first, string.format('%.0f', ones))[1]
  if before == 0 then return cells end
  if before == ones then return 0 end
  return cells - count_bits(before)
end
