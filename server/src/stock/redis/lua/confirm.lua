-- script: confirm
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms hq_id operation_id looked_up_at projected_hold correlation request_text command_text

local CONFIRMED_AGAIN = '{"status":"confirmed","late":false}'

local function key_of(item)
  return item[1] .. '/' .. item[2]
end

-- Units that an item of the hold can give: of an expired or confirmed one (`whole`) all that it held at first.
local function held_units(item, whole)
  return whole and item[3] or held_still(item)
end

-- Units to confirm of each item of the hold: those named, else all.
local function wanted_of(command, tuple, whole)
  local named = {}
  for _, item in ipairs(command.items or {}) do named[key_of(item)] = item[3] end
  local wanted = {}
  for index, item in ipairs(tuple[ITEMS]) do
    wanted[index] = command.items and (named[key_of(item)] or 0) or held_units(item, whole)
  end
  return wanted
end

local function exceeding_lines(command, tuple, whole)
  local held, lines = {}, {}
  for _, item in ipairs(tuple[ITEMS]) do held[key_of(item)] = held_units(item, whole) end
  for _, item in ipairs(command.items or {}) do
    local units = held[key_of(item)] or 0
    if item[3] > units then
      lines[#lines + 1] = '{"storeId":"' .. item[1] .. '","productId":"' .. item[2] .. '","requested":' .. int(item[3])
        .. ',"held":' .. int(units) .. '}'
    end
  end
  return lines
end

local function takes_of(wanted)
  local takes = {}
  for index, quantity in ipairs(wanted) do
    if quantity > 0 then takes[#takes + 1] = { level = index, quantity = quantity } end
  end
  return takes
end

local function confirm_again(command, tuple)
  local wanted = wanted_of(command, tuple, true)
  local same = tuple[ORDER] == command.orderId and #exceeding_lines(command, tuple, true) == 0
  for index, item in ipairs(tuple[ITEMS]) do same = same and item[4] == wanted[index] end
  return same and succeed(CONFIRMED_AGAIN, {}) or refuse('{"status":"reservation-confirmed"}')
end

local function confirm_open(command, read, tuple, wanted)
  local short = lacking(read, takes_of(wanted), on_hand)
  if short then return short end
  local lines, items, open = {}, {}, false
  for index, item in ipairs(tuple[ITEMS]) do
    local sold = wanted[index]
    local given_back = command.keepRest and 0 or held_still(item) - sold
    if sold + given_back > 0 then
      lines[#lines + 1] = { level = index, on_hand = 0 - sold, reserved = -(sold + given_back) }
    end
    items[index] = { item[1], item[2], item[3], item[4] + sold, item[5] + given_back, item[6] }
    open = open or held_still(items[index]) > 0
  end
  local status = open and 'partly_confirmed' or 'confirmed'
  return succeed(CONFIRMED_AGAIN, lines, { hold_with(tuple, { items = items, order = command.orderId, status = status }) })
end

-- The hold has expired: its units are taken again from what is available, all or none.
local function confirm_late(command, read, tuple, wanted)
  local takes = takes_of(wanted)
  if lacking(read, takes, available) then return refuse('{"status":"reservation-expired"}') end
  local lines, items = {}, {}
  for index, take in ipairs(takes) do lines[index] = { level = take.level, on_hand = -take.quantity, reserved = 0 } end
  for index, item in ipairs(tuple[ITEMS]) do
    items[index] = { item[1], item[2], item[3], wanted[index], item[3] - wanted[index], item[6] }
  end
  local after = hold_with(tuple, { items = items, order = command.orderId, status = 'confirmed' })
  return succeed('{"status":"confirmed","late":true}', lines, { after })
end

local plan = {
  expires = true,
  hold = function(command) return command.reservationId end,
  levels = function(_, read) return read.holds[1] and levels_of_hold(hq_id, read.holds[1].tuple) or {} end,
  rule = function(command, read)
    local hold = visible_hold(command, read)
    if not hold then return refuse_in_passing('{"status":"unknown-reservation"}') end
    local tuple = hold.tuple
    local status = tuple[STATUS]
    if status == 'released' then return refuse('{"status":"reservation-released"}') end
    if status == 'confirmed' then return confirm_again(command, tuple) end
    if status == 'partly_confirmed' and tuple[ORDER] ~= command.orderId then
      return refuse('{"status":"reservation-confirmed"}')
    end
    local late = status == 'expired'
    local wanted = wanted_of(command, tuple, late)
    local exceeding = exceeding_lines(command, tuple, late)
    if #exceeding > 0 then
      return refuse('{"status":"quantity-exceeds","lines":[' .. table.concat(exceeding, ',') .. ']}')
    end
    return (late and confirm_late or confirm_open)(command, read, tuple, wanted)
  end,
}

local function run()
  return decide(plan)
end
