-- script: configure-level
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

local plan = {
  stores = function(command) return { command.storeId } end,
  products = function(command) return { command.productId } end,
  levels = function(command) return { level_of(hq_id, command.storeId, command.productId) } end,
  settings = function(command)
    local level = level_of(hq_id, command.storeId, command.productId)
    local product = level.product
    local current = level.version > 0 and settings_text(level.own_safety_stock, level.own_low_threshold) or 'null'
    local low_threshold = product.default_low_threshold or level.store.low_threshold
    return '{"current":' .. current .. ',"fallback":' .. settings_text(product.default_safety_stock, low_threshold) .. '}'
  end,
  rule = function(command, read)
    local stale = stale_version(read, command.expectedVersion)
    if stale then return stale end
    local level = read.levels[1]
    local product = level.product
    local own = {
      safety_stock = optional(command.settings.safetyStock),
      low_threshold = optional(command.settings.lowThreshold),
    }
    local effective = {
      safety_stock = own.safety_stock or product.default_safety_stock or 0,
      low_threshold = own.low_threshold or product.default_low_threshold or level.store.low_threshold,
    }
    local ruling = succeed(DONE, { { level = 1, on_hand = 0, reserved = 0, settings = effective } })
    ruling.own_settings = own
    return ruling
  end,
}

local function run()
  return decide(plan)
end
