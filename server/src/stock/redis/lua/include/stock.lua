-- Stores, products and levels as one step sees them: each is read once, changed here, and written at the end.
local stores, products, levels

local function read_nothing_yet()
  stores, products, levels = {}, {}, {}
end

local function store_of(hq, store_id)
  local key = prefix .. 'store:' .. hq .. ':' .. store_id
  local store = stores[key]
  if store then return store end
  local fields = redis.call('HMGET', key, 'known', 'safetyStock', 'lowThreshold')
  store = {
    key = key,
    -- The pool of an HQ is there from the start.
    known = fields[1] ~= false or store_id == 'HQ',
    safety_stock = tonumber(fields[2]),
    low_threshold = tonumber(fields[3]),
  }
  stores[key] = store
  return store
end

local function product_of(hq, product_id)
  local name = hq .. ':' .. product_id
  local product = products[name]
  if product then return product end
  local key = prefix .. 'product:' .. name
  local fields =
    redis.call('HMGET', key, 'onHand', 'reserved', 'safetyStock', 'defaultSafetyStock', 'defaultLowThreshold')
  product = {
    key = key,
    name = name,
    product_id = product_id,
    known = fields[1] ~= false,
    on_hand = tonumber(fields[1]) or 0,
    reserved = tonumber(fields[2]) or 0,
    safety_stock = tonumber(fields[3]) or 0,
    default_safety_stock = tonumber(fields[4]),
    default_low_threshold = tonumber(fields[5]),
  }
  products[name] = product
  return product
end

-- A level that was never written is all zero, its version too.
local function level_of(hq, store_id, product_id)
  local key = prefix .. 'level:' .. hq .. ':' .. store_id .. ':' .. product_id
  local level = levels[key]
  if level then return level end
  local fields = redis.call(
    'HMGET', key, 'onHand', 'reserved', 'version', 'safetyStock', 'lowThreshold', 'countedAt', 'countSeq')
  level = {
    key = key,
    store_id = store_id,
    product_id = product_id,
    store = store_of(hq, store_id),
    product = product_of(hq, product_id),
    on_hand = tonumber(fields[1]) or 0,
    reserved = tonumber(fields[2]) or 0,
    version = tonumber(fields[3]) or 0,
    own_safety_stock = tonumber(fields[4]),
    own_low_threshold = tonumber(fields[5]),
    counted_at = tonumber(fields[6]),
    count_seq = tonumber(fields[7]),
  }
  levels[key] = level
  return level
end

local function safety_stock_of(level)
  return level.own_safety_stock or level.product.default_safety_stock or 0
end

local function low_threshold_of(level)
  return level.own_low_threshold or level.product.default_low_threshold or level.store.low_threshold
end

local function available(level)
  return level.on_hand - level.reserved - safety_stock_of(level)
end

local function on_hand(level)
  return level.on_hand
end

local function hq_available(product)
  return product.on_hand - product.reserved - product.safety_stock
end

local function level_text(level)
  return '["' .. level.store_id .. '","' .. level.product_id .. '",' .. int(level.on_hand) .. ',' .. int(level.reserved)
    .. ',' .. int(safety_stock_of(level)) .. ',' .. int_or_null(low_threshold_of(level)) .. ',' .. int(level.version) .. ']'
end

-- Only a count reads when the level was counted last.
local function counted_level_text(level)
  local last = level.counted_at
    and '{"countedAt":' .. int(level.counted_at) .. ',"seq":' .. int(level.count_seq) .. '}' or 'null'
  return string.sub(level_text(level), 1, -2) .. ',' .. last .. ']'
end

local function totals_text(product)
  return '["' .. product.product_id .. '",' .. int(product.on_hand) .. ',' .. int(product.reserved) .. ','
    .. int(product.safety_stock) .. ']'
end

local function settings_text(safety_stock, low_threshold)
  return '{"safetyStock":' .. int_or_null(safety_stock) .. ',"lowThreshold":' .. int_or_null(low_threshold) .. '}'
end
