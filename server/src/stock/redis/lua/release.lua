-- script: release
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

local plan = {
  hold = function(command) return command.reservationId end,
  levels = function(_, read) return read.holds[1] and levels_of_hold(hq_id, read.holds[1].tuple) or {} end,
  rule = function(command, read)
    local hold = visible_hold(command, read)
    if not hold then return refuse_in_passing('{"status":"unknown-reservation"}') end
    local tuple = hold.tuple
    if tuple[STATUS] == 'confirmed' then return refuse('{"status":"reservation-confirmed"}') end
    if not is_open(tuple) then return succeed('{"status":"released"}', {}) end
    return succeed('{"status":"released"}', giving_back(tuple), { closed(tuple, 'released') })
  end,
}

local function run()
  return decide(plan)
end
