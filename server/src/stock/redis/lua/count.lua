-- script: count
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

-- A refusal when the difference rests on another count than the level's last.
local function count_refusal(item, level, counted_at)
  local then_on_hand, based_on = optional(item.onHandThen), optional(item.basedOn)
  if not level.counted_at then
    if based_on == nil then return nil end
    return refuse_in_passing('{"status":"stale-count"}')
  end
  if counted_at < level.counted_at then
    return refuse('{"status":"count-superseded","storeId":"' .. item.storeId .. '","productId":"' .. item.productId
      .. '","countedAt":' .. int(level.counted_at) .. '}')
  end
  if then_on_hand == nil or (based_on ~= nil and based_on.seq == level.count_seq) then return nil end
  return refuse_in_passing('{"status":"stale-count"}')
end

local plan = {
  counted = true,
  stores = stores_of_items,
  products = products_of_items,
  levels = levels_of_items,
  rule = function(command, read, at)
    local stale = stale_version(read, command.expectedVersion)
    if stale then return stale end
    -- One from the future counts as taken now, else it would shut out all counts until then.
    local counted_at = math.min(optional(command.countedAt) or at, at)
    local takes, lines, counted = {}, {}, {}
    for index, item in ipairs(command.items) do
      local level = read.levels[index]
      local refused = count_refusal(item, level, counted_at)
      if refused then return refused end
      local difference = item.counted - (optional(item.onHandThen) or level.on_hand)
      takes[index] = { level = index, quantity = -difference }
      lines[index] = { level = index, on_hand = difference, reserved = 0 }
      counted[index] = '{"storeId":"' .. item.storeId .. '","productId":"' .. item.productId .. '","counted":'
        .. int(item.counted) .. ',"difference":' .. int(difference) .. '}'
    end
    local refused = lacking(read, takes, on_hand) or overfull(read, lines)
    if refused then return refused end
    local outcome = '{"status":"counted","countedAt":' .. int(counted_at) .. ',"lines":[' .. table.concat(counted, ',') .. ']}'
    local ruling = succeed(outcome, lines)
    ruling.counted_at = counted_at
    return ruling
  end,
}

local function run()
  return decide(plan)
end
