-- script: adjust
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

-- An adjustment states a fact: it may push what is available below zero, never what is on hand.
local plan = {
  stores = stores_of_items,
  products = products_of_items,
  levels = levels_of_items,
  rule = function(command, read)
    local stale = stale_version(read, command.expectedVersion)
    if stale then return stale end
    local takes, lines = {}, {}
    for index, item in ipairs(command.items) do
      takes[index] = { level = index, quantity = -item.change }
      lines[index] = { level = index, on_hand = item.change, reserved = 0 }
    end
    return lacking(read, takes, on_hand) or overfull(read, lines) or succeed(DONE, lines)
  end,
}

local function run()
  return decide(plan)
end
