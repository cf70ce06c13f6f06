-- script: reserve
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

local function hold_made_of(command, at)
  local items = {}
  for index, item in ipairs(command.items) do items[index] = { item[1], item[2], item[3], 0, 0, item[4] } end
  return {
    command.reservationId, command.storeId, command.transactionId, command.orderId, 'active', at, at + command.ttlMs, items,
  }
end

local plan = {
  takes = true,
  new_hold = function(command) return command.reservationId end,
  stores = stores_of_items,
  products = products_of_items,
  levels = levels_of_items,
  rule = function(command, read, at)
    local short = lacking(read, takes_of_items(command), available)
    if short then return short end
    local lines = {}
    for index, item in ipairs(command.items) do lines[index] = { level = index, on_hand = 0, reserved = item[3] } end
    return succeed('{"status":"reserved"}', lines, { hold_made_of(command, at) })
  end,
}

local function run()
  return decide(plan)
end
