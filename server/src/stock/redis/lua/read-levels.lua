-- script: read-levels
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq hq_id names

-- `names` are stores and products in turn. A level is null where the store or the product is not known.
local function run()
  local refused = refuse_head(read_head())
  if refused then return refused end
  local asked, found = cjson.decode(names), {}
  for index = 1, #asked, 2 do
    local level = level_of(hq_id, asked[index], asked[index + 1])
    local known = level.store.known and level.product.known
    found[#found + 1] = known and '[' .. level_text(level) .. ',' .. int(level.product.on_hand) .. ']' or 'null'
  end
  return { 'levels', '[' .. table.concat(found, ',') .. ']' }
end
