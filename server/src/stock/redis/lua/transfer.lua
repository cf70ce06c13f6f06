-- script: transfer
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

local plan = {
  stores = function(command) return { command.fromStoreId, command.toStoreId } end,
  products = products_of_items,
  levels = function(command) return levels_of_pairs(command, command.fromStoreId, command.toStoreId) end,
  rule = move,
}

local function run()
  return decide(plan)
end
