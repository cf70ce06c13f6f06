-- When this step happens. The time of a partition never falls, and a clock that runs far ahead of the caller's is not
-- believed: nothing expires by it.
local function moment(head, now_ms)
  local own, latest = engine_time(), tonumber(now_ms) + CLOCK_AHEAD_MS_MAX
  local ahead = math.max(own, head.at) - latest
  return math.max(math.min(own, latest), head.at), ahead
end
