-- Which `seq` of a session were seen, in constant memory: `seq_max`, and a bitmap from `seq_base` on (bit 0 of a byte is
-- its lowest). Whatever lies below `seq_base` was seen or has passed. In order it is one byte; at worst 129.

local SEQ_WINDOW = 1024

local function has_seen(session, seq)
  if not session.seq_max then return false end
  if seq <= session.seq_max - SEQ_WINDOW or seq < session.seq_base then return true end
  local place = seq - session.seq_base
  local byte = string.byte(session.seq_window, math.floor(place / 8) + 1)
  if not byte then return false end
  return math.floor(byte / 2 ^ (place % 8)) % 2 == 1
end

-- Drop bytes whose eight `seq` have all passed, so that the window never grows past its bound.
local function slide_window(session)
  local passed = math.floor((session.seq_max - SEQ_WINDOW + 1 - session.seq_base) / 8)
  if passed > 0 then
    session.seq_window = string.sub(session.seq_window, passed + 1)
    session.seq_base = session.seq_base + passed * 8
  end
end

local function remember_seq(session, seq)
  if not session.seq_max or seq > session.seq_max then
    session.seq_max = seq
    slide_window(session)
  end
  local window, place = session.seq_window, seq - session.seq_base
  local at = math.floor(place / 8) + 1
  if at > #window then window = window .. string.rep('\0', at - #window) end
  local byte = string.byte(window, at) + 2 ^ (place % 8)
  window = string.sub(window, 1, at - 1) .. string.char(byte) .. string.sub(window, at + 1)
  local _, full = string.find(window, '^\255*')
  session.seq_window = string.sub(window, full + 1)
  session.seq_base = session.seq_base + full * 8
end
