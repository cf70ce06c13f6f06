-- script: configure-product
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

-- A new default changes what is available at every level that has no safety stock of its own.
local plan = {
  settings = function(command)
    local product = product_of(hq_id, command.productId)
    local current = product.known and settings_text(product.default_safety_stock, product.default_low_threshold) or 'null'
    return '{"current":' .. current .. ',"fallback":' .. settings_text(nil, nil) .. '}'
  end,
  levels = function(command)
    local followers = {}
    local product = product_of(hq_id, command.productId)
    for _, store_id in ipairs(redis.call('LRANGE', prefix .. 'stores-of:' .. product.name, 0, -1)) do
      local level = level_of(hq_id, store_id, command.productId)
      if not level.own_safety_stock then followers[#followers + 1] = level end
    end
    return followers
  end,
  rule = function(command, read)
    local ruling = succeed(DONE, {})
    local followers = #read.levels
    ruling.write_settings = function()
      local product = product_of(hq_id, command.productId)
      local safety_stock = optional(command.settings.safetyStock)
      local change = (safety_stock or 0) - (product.default_safety_stock or 0)
      redis.call('HSET', product.key, 'onHand', int(product.on_hand), 'reserved', int(product.reserved),
        'safetyStock', int(product.safety_stock + change * followers))
      write_setting(product.key, 'defaultSafetyStock', safety_stock)
      write_setting(product.key, 'defaultLowThreshold', optional(command.settings.lowThreshold))
    end
    return ruling
  end,
}

local function run()
  return decide(plan)
end
