-- script: distribute
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

local plan = {
  stores = function(command) return { command.storeId } end,
  products = products_of_items,
  levels = function(command) return levels_of_pairs(command, 'HQ', command.storeId) end,
  rule = move,
}

local function run()
  return decide(plan)
end
