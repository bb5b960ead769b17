-- What every event needs of Lua and Redis, as locals: a global's name is looked up anew at each use, and `math.floor` is two
-- of those. A library sees none of them while it loads, so they are bound when one of its functions is first called.

local redis_call, struct_pack, struct_unpack, string_sub, table_concat

local function bind_natives()
  redis_call, struct_pack, struct_unpack = redis.call, struct.pack, struct.unpack
  string_sub, table_concat = string.sub, table.concat
end

-- Makes a function of the library callable under its name. `flag` is what Redis is to know of it.
local function register(name, callback, flag)
  redis.register_function{
    function_name = 'playhead_' .. name .. '_' .. VERSION,
    callback = function(keys, args)
      if not redis_call then bind_natives() end
      return callback(keys, args)
    end,
    flags = flag and { flag } or {},
  }
end
