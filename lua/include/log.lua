-- Appends the run to the stream. `appended` is how many events that makes in all.
local function append(run, stream_key, log_key, appended, outcomes)
  local total = string.format('%.0f', appended)
  local id = redis_call('XADD', stream_key, '*', 'run', run.blob, 'outcomes', outcomes, 'appended', total)
  redis_call('HSET', log_key, 'appended', total, 'last', id)
  return id
end

-- Whether what became of an event is that it counted: not of a duplicate, nor of an absent user's.
local function has_counted(outcome)
  return outcome ~= 'D' and outcome ~= 'A'
end

-- How many events of an entry counted. An erasure counts as one.
local function count_counted(outcomes)
  local count = 0
  for outcome in string.gmatch(outcomes, '[^,]+') do
    if has_counted(outcome) then count = count + 1 end
  end
  return count
end

local function field_of(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
end
