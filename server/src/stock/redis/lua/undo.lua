-- script: undo
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

-- The inverse of a reserve, whose hold is given back, or of an issue.
local plan = {
  hold = function(command) return command.reservationId end,
  levels = function(command, read)
    if command.items then return levels_of_items(command) end
    return read.holds[1] and levels_of_hold(hq_id, read.holds[1].tuple) or {}
  end,
  rule = function(command, read)
    if command.items then
      local lines = {}
      for index, item in ipairs(command.items) do lines[index] = { level = index, on_hand = item[3], reserved = 0 } end
      return succeed(DONE, lines)
    end
    local hold = read.holds[1]
    if not hold or not is_open(hold.tuple) then return succeed(DONE, {}) end
    return succeed(DONE, giving_back(hold.tuple), { closed(hold.tuple, 'released') })
  end,
}

local function run()
  return decide(plan)
end
