-- Holds, as tuples: id, store, transaction, order, status, created, expires, items; an item is store, product,
-- reserved, confirmed, released, price.
local ID, HOLD_STORE, ORDER, STATUS, EXPIRES, ITEMS = 1, 2, 4, 5, 7, 8

local function hold_key(reservation_id)
  return prefix .. 'hold:' .. reservation_id
end

-- The record of a hold: whose it is, the entry and the time since when it is as it is, the hold.
local function read_hold(reservation_id)
  local record = redis.call('GET', hold_key(reservation_id))
  if not record then return nil end
  local hq, seq, at, text = string.match(record, '^(%S+) (%d+) (%d+) (.*)$')
  return { hq = hq, seq = tonumber(seq), at = tonumber(at), text = text }
end

local function hold_of(text)
  return { text = text, tuple = cjson.decode(text) }
end

local function is_open(tuple)
  return tuple[STATUS] == 'active' or tuple[STATUS] == 'partly_confirmed'
end

local function held_still(item)
  return item[3] - item[4] - item[5]
end

local function hold_item_text(item)
  local price = optional(item[6])
  return '["' .. item[1] .. '","' .. item[2] .. '",' .. int(item[3]) .. ',' .. int(item[4]) .. ',' .. int(item[5])
    .. (price and ',' .. int(price) or '') .. ']'
end

local function hold_text(tuple)
  return '["' .. tuple[ID] .. '","' .. tuple[HOLD_STORE] .. '","' .. tuple[3] .. '",'
    .. text_or_null(optional(tuple[ORDER])) .. ',"' .. tuple[STATUS] .. '",' .. int(tuple[6]) .. ','
    .. int(tuple[EXPIRES]) .. ',[' .. joined(tuple[ITEMS], hold_item_text) .. ']]'
end

-- The same hold with other items, order, status or end.
local function hold_with(tuple, changes)
  return {
    tuple[ID], tuple[HOLD_STORE], tuple[3], changes.order or tuple[ORDER], changes.status or tuple[STATUS], tuple[6],
    changes.expires or tuple[EXPIRES], changes.items or tuple[ITEMS],
  }
end

-- A hold of which a part was confirmed ends as confirmed, the rest given back.
local function closed(tuple, status)
  local items = {}
  for index, item in ipairs(tuple[ITEMS]) do
    items[index] = { item[1], item[2], item[3], item[4], item[3] - item[4], item[6] }
  end
  return hold_with(tuple, { items = items, status = tuple[STATUS] == 'partly_confirmed' and 'confirmed' or status })
end

local function levels_of_hold(hq, tuple)
  local found = {}
  for index, item in ipairs(tuple[ITEMS]) do found[index] = level_of(hq, item[1], item[2]) end
  return found
end

-- Lines that give back what is held still.
local function giving_back(tuple)
  local lines = {}
  for index, item in ipairs(tuple[ITEMS]) do
    local rest = held_still(item)
    if rest ~= 0 then lines[#lines + 1] = { level = index, on_hand = 0, reserved = -rest } end
  end
  return lines
end

local function put_hold(hq, tuple, text, seq, at)
  local reservation_id = tuple[ID]
  redis.call('SET', hold_key(reservation_id), hq .. ' ' .. seq .. ' ' .. at .. ' ' .. text)
  if is_open(tuple) then
    redis.call('ZADD', prefix .. 'due', int(tuple[EXPIRES]), reservation_id)
  else
    redis.call('ZREM', prefix .. 'due', reservation_id)
    redis.call('ZADD', prefix .. 'closed', at, reservation_id)
  end
end

-- The hold that a caller may see: one of another store is as unknown as one that never was.
local function visible_hold(command, read)
  local hold = read.holds[1]
  if not hold or (command.storeScope and hold.tuple[HOLD_STORE] ~= command.storeScope) then return nil end
  return hold
end
