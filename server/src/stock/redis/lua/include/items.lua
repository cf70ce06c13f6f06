-- Items as commands carry them: tuples of store, product, quantity, price; adjustments and counts as objects.
local function stores_of_items(command)
  local ids = {}
  for index, item in ipairs(command.items) do ids[index] = item.storeId or item[1] end
  return ids
end

local function products_of_items(command)
  local ids = {}
  for index, item in ipairs(command.items) do ids[index] = item.productId or item[2] end
  return ids
end

local function levels_of_items(command)
  local found = {}
  for index, item in ipairs(command.items) do
    found[index] = level_of(hq_id, item.storeId or item[1], item.productId or item[2])
  end
  return found
end

-- What the items take of their levels.
local function takes_of_items(command)
  local takes = {}
  for index, item in ipairs(command.items) do takes[index] = { level = index, quantity = item[3] } end
  return takes
end
