-- script: configure-store
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

local plan = {
  settings = function(command)
    local store = store_of(hq_id, command.storeId)
    return '{"current":' .. (store.known and settings_text(store.safety_stock, store.low_threshold) or 'null')
      .. ',"fallback":' .. settings_text(nil, nil) .. '}'
  end,
  rule = function(command)
    local ruling = succeed(DONE, {})
    ruling.write_settings = function()
      local key = store_of(hq_id, command.storeId).key
      redis.call('HSET', key, 'known', 1)
      write_setting(key, 'safetyStock', optional(command.settings.safetyStock))
      write_setting(key, 'lowThreshold', optional(command.settings.lowThreshold))
    end
    return ruling
  end,
}

local function run()
  return decide(plan)
end
