-- The engine's own time in epoch milliseconds.
local function engine_time()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
