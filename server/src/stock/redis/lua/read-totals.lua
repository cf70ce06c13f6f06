-- script: read-totals
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq hq_id product_id

local function run()
  local refused = refuse_head(read_head())
  if refused then return refused end
  local product = product_of(hq_id, product_id)
  if not product.known then return { 'totals', 'null' } end
  local updated_at = redis.call('HGET', product.key, 'updatedAt') or '0'
  return { 'totals', '[' .. totals_text(product) .. ',' .. updated_at .. ']' }
end
