-- One command: refused, answered from what is remembered, or decided. `plan` says what the command's script knows:
--   rule(command, read, at) → ruling
--   takes                                     a second effect can be undone, so the ledger need not be asked, unless the
--                                             operation id is the system's: an order names its reservation, and a second
--                                             one would stand in the place of the first, which may be sold
--   stores(command), products(command)        ids that must be known
--   levels(command, read) → levels            in the order in which the rule expects them
--   hold(command) → id | nil                  the reservation that it names
--   new_hold(command) → id                    the reservation that it makes
--   expires                                   a hold that is due is expired first, in the same step
--   settings(command) → text                  what a configuration found
local function is_looked_up(head)
  return operation_id == '' or tonumber(looked_up_at) >= head.floor
end

local function has_system_id()
  return SYSTEM_OPERATIONS[string.match(operation_id, '^(%l+)/')]
end

local function find_repeated()
  if operation_id == '' then return nil end
  local known = redis.call('HGET', prefix .. 'operations', hq_id .. '/' .. operation_id)
  if not known then return nil end
  local seq, mark = string.match(known, '^(%d+) ?(.*)$')
  return { 'repeated', seq, mark }
end

-- A hold of another HQ is as unknown as one that never was; `looked` false: the projection must be asked first.
local function named_hold(plan, command)
  local reservation_id = plan.hold and plan.hold(command)
  if not reservation_id then return nil, true end
  local record = read_hold(reservation_id)
  if record then return record.hq == hq_id and hold_of(record.text) or nil, true end
  if projected_hold == '' then return nil, string.match(reservation_id, '^rsv_(%d+)_') ~= partition end
  return projected_hold ~= 'null' and hold_of(projected_hold) or nil, true
end

-- Asked only for names that are made from an order: random ones never come twice.
local function is_there(reservation_id)
  return redis.call('EXISTS', hold_key(reservation_id)) == 1
end

local function expire_named(head, plan, command, at)
  local record = read_hold(plan.hold(command))
  if not record or record.hq ~= hq_id then return end
  local hold = hold_of(record.text)
  if is_open(hold.tuple) and hold.tuple[EXPIRES] <= at then expire(head, hq_id, { hold }, at, correlation) end
end

-- The first of what must be known and is not.
local function unknown(plan, command)
  for _, store_id in ipairs(plan.stores and plan.stores(command) or {}) do
    if not store_of(hq_id, store_id).known then
      return refuse_in_passing('{"status":"unknown-store","storeId":"' .. store_id .. '"}')
    end
  end
  for _, product_id in ipairs(plan.products and plan.products(command) or {}) do
    if not product_of(hq_id, product_id).known then
      return refuse_in_passing('{"status":"unknown-product","productId":"' .. product_id .. '"}')
    end
  end
  return nil
end

-- Lines are checked each against its own level: a level read twice could be taken from twice.
local function named_twice(read_levels)
  local seen = {}
  for _, level in ipairs(read_levels) do
    if seen[level] then return level end
    seen[level] = true
  end
  return nil
end

local function observed(head, outcome, hold)
  return { 'observed', outcome, hold and hold.text or '', int(head.seq), head.mark }
end

local function is_without_effect(ruling)
  return #ruling.lines == 0 and #ruling.holds == 0 and not ruling.write_settings
end

-- Why the command may not be decided now; nil: it may.
local function not_now(head, plan, system, at)
  if head.seq - head.recorded >= UNRECORDED_MAX then return { 'unavailable', 'overloaded' } end
  if not make_room(head, at) then return { 'unavailable', 'window-full' } end
  if (system or not plan.takes) and not is_looked_up(head) then return { 'look-up-operation' } end
  return nil
end

local function decide(plan)
  local head = read_head()
  local refused = refuse_head(head) or find_repeated()
  if refused then return refused end
  local at, ahead = moment(head, now_ms)
  local system = has_system_id()
  refused = not_now(head, plan, system, at)
  if refused then return refused end
  local command = cjson.decode(command_text)
  if plan.expires and ahead <= 0 then expire_named(head, plan, command, at) end
  local hold, looked = named_hold(plan, command)
  if not looked then return { 'look-up-hold' } end
  if system and plan.new_hold and is_there(plan.new_hold(command)) then
    return redis.error_reply('a reserve names a reservation that is there already (' .. plan.new_hold(command)
      .. '): nothing was done')
  end
  local read = { levels = {}, holds = { hold }, counted = plan.counted }
  local ruling = unknown(plan, command)
  if not ruling then
    read.levels = plan.levels and plan.levels(command, read) or {}
    local twice = named_twice(read.levels)
    if twice then
      return redis.error_reply('a command names a level twice (' .. twice.store_id .. '/' .. twice.product.product_id
        .. '): equal lines are summed, and nothing moves onto itself')
    end
    read.settings = plan.settings and plan.settings(command)
    ruling = plan.rule(command, read, at)
  end
  -- A refusal that leaves no trace must not hide the first answer under this id.
  if ruling.passing and not is_looked_up(head) then return { 'look-up-operation' } end
  if ruling.passing or (operation_id == '' and is_without_effect(ruling)) then return observed(head, ruling.outcome, hold) end
  local decision = append(head, { hq = hq_id, operation_id = operation_id, at = at, request = request_text }, read, ruling)
  return { 'decided', int(head.seq), int(at), head.mark, decision }
end
