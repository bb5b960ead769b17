-- The server's memory: how many bytes are used, and how many may be at most, 0 for no bound.
local function read_memory()
  local info = redis.call('INFO', 'memory')
  return tonumber(string.match(info, 'used_memory:(%d+)')), tonumber(string.match(info, 'maxmemory:(%d+)'))
end
