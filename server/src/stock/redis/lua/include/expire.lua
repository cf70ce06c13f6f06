-- Closes due holds of one HQ. `found` are { text, tuple }, all open and due.
local function expire_request(hq, found, correlation)
  local ids = {}
  for index, hold in ipairs(found) do ids[index] = '"' .. hold.tuple[ID] .. '"' end
  return '"hqId":"' .. hq .. '","operationId":null,"fingerprint":null,"actor":{"subject":"holdfast","role":"system"}'
    .. ',"origin":"expiry","correlationId":' .. correlation .. ',"causationId":null'
    .. ',"command":{"type":"expire","reservationIds":[' .. table.concat(ids, ',') .. ']}'
end

local function expire(head, hq, found, at, correlation)
  local read = { levels = {}, holds = found }
  local position, lines, holds = {}, {}, {}
  for _, hold in ipairs(found) do
    for _, level in ipairs(levels_of_hold(hq, hold.tuple)) do
      if not position[level] then
        read.levels[#read.levels + 1] = level
        position[level] = #read.levels
      end
    end
  end
  for index, hold in ipairs(found) do
    for _, line in ipairs(giving_back(hold.tuple)) do
      local item = hold.tuple[ITEMS][line.level]
      line.level = position[level_of(hq, item[1], item[2])]
      line.hold = index
      lines[#lines + 1] = line
    end
    holds[index] = closed(hold.tuple, 'expired')
  end
  local entry = { hq = hq, operation_id = '', at = at, request = expire_request(hq, found, correlation) }
  append(head, entry, read, succeed('{"status":"expired"}', lines, holds))
end
