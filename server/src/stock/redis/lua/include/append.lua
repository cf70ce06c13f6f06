-- One entry: the journal first, for it is the only write that may be refused; what follows from it last.
local function line_text(line)
  local text = '[' .. int(line.level - 1) .. ',' .. int(line.on_hand) .. ',' .. int(line.reserved)
  if line.settings then
    return text .. ',null,' .. int(line.settings.safety_stock) .. ',' .. int_or_null(line.settings.low_threshold) .. ']'
  end
  return line.hold and text .. ',' .. int(line.hold - 1) .. ']' or text .. ']'
end

local function totals_of(read_levels)
  local totals, seen = {}, {}
  for _, level in ipairs(read_levels) do
    if not seen[level.product] then
      seen[level.product] = true
      totals[#totals + 1] = level.product
    end
  end
  return totals
end

local function decision_text(read, ruling, hold_texts)
  local read_holds = {}
  for index, hold in ipairs(read.holds) do read_holds[index] = hold.text end
  return '"read":{"levels":[' .. joined(read.levels, read.counted and counted_level_text or level_text)
    .. '],"totals":[' .. joined(totals_of(read.levels), totals_text)
    .. '],"holds":[' .. concatenated(read_holds) .. ']'
    .. (read.settings and ',"settings":' .. read.settings or '')
    .. '},"outcome":' .. ruling.outcome .. ',"lines":[' .. joined(ruling.lines, line_text)
    .. '],"holds":[' .. concatenated(hold_texts) .. ']'
end

local function write_level(level, counted)
  redis.call('HSET', level.key, 'onHand', int(level.on_hand), 'reserved', int(level.reserved),
    'version', int(level.version))
  if counted then redis.call('HSET', level.key, 'countedAt', int(level.counted_at), 'countSeq', int(level.count_seq)) end
end

local function write_setting(key, name, value)
  if value then redis.call('HSET', key, name, int(value)) else redis.call('HDEL', key, name) end
end

local function write_own_settings(level)
  write_setting(level.key, 'safetyStock', level.own_safety_stock)
  write_setting(level.key, 'lowThreshold', level.own_low_threshold)
end

local function write_product(product, at)
  redis.call('HSET', product.key, 'onHand', int(product.on_hand), 'reserved', int(product.reserved),
    'safetyStock', int(product.safety_stock), 'updatedAt', at)
end

-- Changes one level and the sums of its product.
local function apply_line(head, level, line, ruling)
  local product = level.product
  local safety_before = level.version == 0 and 0 or safety_stock_of(level)
  if level.version == 0 then
    redis.call('RPUSH', prefix .. 'stores-of:' .. product.name, level.store_id)
    head.levels = head.levels + 1
  end
  level.on_hand = level.on_hand + line.on_hand
  level.reserved = level.reserved + line.reserved
  level.version = level.version + 1
  if ruling.own_settings then
    level.own_safety_stock = ruling.own_settings.safety_stock
    level.own_low_threshold = ruling.own_settings.low_threshold
  end
  if ruling.counted_at then
    level.counted_at = ruling.counted_at
    level.count_seq = head.seq
  end
  product.on_hand = product.on_hand + line.on_hand
  product.reserved = product.reserved + line.reserved
  product.safety_stock = product.safety_stock + safety_stock_of(level) - safety_before
end

local function apply(head, entry, at, read, ruling, hold_texts)
  local changed, order = {}, {}
  for _, line in ipairs(ruling.lines) do
    local level = read.levels[line.level]
    apply_line(head, level, line, ruling)
    if not changed[level] then
      changed[level] = true
      order[#order + 1] = level
    end
  end
  for _, level in ipairs(order) do
    write_level(level, ruling.counted_at)
    if ruling.own_settings then write_own_settings(level) end
    if not changed[level.product] then
      changed[level.product] = true
      write_product(level.product, at)
    end
  end
  for index, tuple in ipairs(ruling.holds) do put_hold(entry.hq, tuple, hold_texts[index], int(head.seq), at) end
end

-- `entry` is { hq, operation_id, at, request }. Returns the text of what was read and decided.
local function append(head, entry, read, ruling)
  local hold_texts = {}
  for index, tuple in ipairs(ruling.holds) do hold_texts[index] = hold_text(tuple) end
  local decision = decision_text(read, ruling, hold_texts)
  local at, seq = int(entry.at), int(head.seq + 1)
  local id = epoch .. '-' .. seq
  -- Over the hashes of the long texts: joined they would be one more text for Lua to make and hash, byte by byte. Together
  -- with the request that comes in one piece: 58 µs for a reserve instead of 63 (the best of 50 batches of 200).
  local mark = redis.sha1hex(head.mark .. '\n' .. ENTRY_VERSION .. '\n' .. id .. '\n' .. at .. '\n'
    .. redis.sha1hex(entry.request) .. '\n' .. redis.sha1hex(decision))
  redis.call('XADD', prefix .. 'journal', id, 'version', ENTRY_VERSION, 'mark', mark, 'at', at,
    'request', entry.request, 'decision', decision)
  head.seq, head.mark, head.at = head.seq + 1, mark, entry.at
  apply(head, entry, at, read, ruling, hold_texts)
  if ruling.write_settings then ruling.write_settings() end
  if entry.operation_id ~= '' then
    local name = entry.hq .. '/' .. entry.operation_id
    redis.call('HSET', prefix .. 'operations', name, seq .. ' ' .. mark)
    redis.call('RPUSH', prefix .. 'operation-queue', seq .. ' ' .. at .. ' ' .. name)
  end
  redis.call('HSET', head_key, 'seq', seq, 'mark', mark, 'at', at, 'levels', int(head.levels))
  -- Whoever records may be asleep: it had nothing left to do.
  if head.seq == head.recorded + 1 then redis.call('PUBLISH', WAKE_CHANNEL, partition) end
  return decision
end
