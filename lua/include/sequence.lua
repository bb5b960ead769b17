-- Which `seq` of a session were seen, in constant memory: `seq_max` (false before the first), and a bitmap, the window,
-- from `seq_base` on (bit 0 of a byte is its lowest). Whatever lies below `seq_base` was seen or has passed. In order it is
-- one byte; at worst 129.

local SEQ_WINDOW = 1024

local function has_seen(seq_max, seq_base, window, seq)
  if not seq_max or seq > seq_max then return false end
  if seq <= seq_max - SEQ_WINDOW or seq < seq_base then return true end
  local place = seq - seq_base
  local byte = string.byte(window, math.floor(place / 8) + 1)
  if not byte then return false end
  return math.floor(byte / 2 ^ (place % 8)) % 2 == 1
end

-- Drops from the window the bytes whose eight `seq` have all passed, so that it never grows past its bound.
local function drop_passed(seq_max, seq_base, window)
  local passed = math.floor((seq_max - SEQ_WINDOW + 1 - seq_base) / 8)
  if passed <= 0 then return seq_base, window end
  return seq_base + passed * 8, string.sub(window, passed + 1)
end

-- And the ones at its start of which all eight were seen.
local function drop_full(seq_base, window)
  if string.byte(window) ~= 255 then return seq_base, window end
  local _, full = string.find(window, '^\255*')
  return seq_base + full * 8, string.sub(window, full + 1)
end

-- Of a `seq` that was not seen. Gives seq_max, seq_base and window with it.
local function add_seq(seq_max, seq_base, window, seq)
  if not seq_max or seq > seq_max then
    seq_max = seq
    seq_base, window = drop_passed(seq_max, seq_base, window)
  end
  local place = seq - seq_base
  local at = math.floor(place / 8) + 1
  if at > #window then window = window .. string.rep('\0', at - #window) end
  local byte = string.byte(window, at) + 2 ^ (place % 8)
  window = string.sub(window, 1, at - 1) .. string.char(byte) .. string.sub(window, at + 1)
  return seq_max, drop_full(seq_base, window)
end

-- The same of all that follow `seq_max`, up to `last`.
local function add_seqs(seq_max, seq_base, window, last)
  local first = seq_max and seq_max + 1 or 0
  if last < first then return seq_max, seq_base, window end
  local place, after = first - seq_base, last + 1 - seq_base
  local at, whole = math.floor(place / 8), math.floor(after / 8)
  local byte = (string.byte(window, at + 1) or 0) - 2 ^ (place % 8)
  local head = string.sub(window, 1, at) .. string.rep('\0', at - #window)
  if at == whole then
    window = head .. string.char(byte + 2 ^ (after % 8))
  else
    local rest = after % 8 > 0 and string.char(2 ^ (after % 8) - 1) or ''
    window = head .. string.char(byte + 256) .. string.rep('\255', whole - at - 1) .. rest
  end
  return last, drop_full(drop_passed(last, seq_base, window))
end
