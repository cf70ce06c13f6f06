-- script: answer-order
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

local plan = {
  rule = function() return succeed(DONE, {}) end,
}

local function run()
  return decide(plan)
end
