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

-- Of a `seq` that was not seen. Gives seq_max, seq_base and window with it.
local function add_seq(seq_max, seq_base, window, seq)
  if not seq_max or seq > seq_max then
    seq_max = seq
    -- Bytes whose eight `seq` have all passed are dropped, so that the window never grows past its bound.
    local passed = math.floor((seq_max - SEQ_WINDOW + 1 - seq_base) / 8)
    if passed > 0 then window, seq_base = string.sub(window, passed + 1), seq_base + passed * 8 end
  end
  local place = seq - seq_base
  local at = math.floor(place / 8) + 1
  if at > #window then window = window .. string.rep('\0', at - #window) end
  local byte = string.byte(window, at) + 2 ^ (place % 8)
  window = string.sub(window, 1, at - 1) .. string.char(byte) .. string.sub(window, at + 1)
  if string.byte(window) == 255 then
    local _, full = string.find(window, '^\255*')
    window, seq_base = string.sub(window, full + 1), seq_base + full * 8
  end
  return seq_max, seq_base, window
end
