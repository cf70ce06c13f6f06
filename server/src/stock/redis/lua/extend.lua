-- script: extend
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

local plan = {
  expires = true,
  hold = function(command) return command.reservationId end,
  rule = function(command, read, at)
    local hold = visible_hold(command, read)
    if not hold then return refuse_in_passing('{"status":"unknown-reservation"}') end
    local tuple = hold.tuple
    if not is_open(tuple) then return refuse('{"status":"reservation-' .. tuple[STATUS] .. '"}') end
    return succeed('{"status":"extended"}', {}, { hold_with(tuple, { expires = at + command.ttlMs }) })
  end,
}

local function run()
  return decide(plan)
end
