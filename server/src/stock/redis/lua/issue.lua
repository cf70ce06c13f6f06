-- script: issue
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

local plan = {
  takes = true,
  stores = stores_of_items,
  products = products_of_items,
  levels = levels_of_items,
  rule = function(command, read)
    local refused = stale_version(read, command.expectedVersion) or lacking(read, takes_of_items(command), available)
    if refused then return refused end
    local lines = {}
    for index, item in ipairs(command.items) do lines[index] = { level = index, on_hand = -item[3], reserved = 0 } end
    return succeed(DONE, lines)
  end,
}

local function run()
  return decide(plan)
end
