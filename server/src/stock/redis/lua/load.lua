-- script: load
-- version: 1
-- keys: head
-- arguments: partition epoch commands

-- Adds to the sums of a product, which is known from then on.
local function add_sums(key, on_hand, reserved, safety_stock, updated_at)
  redis.call('HINCRBY', key, 'onHand', on_hand)
  redis.call('HINCRBY', key, 'reserved', reserved)
  redis.call('HINCRBY', key, 'safetyStock', safety_stock)
  local last = tonumber(redis.call('HGET', key, 'updatedAt')) or 0
  if tonumber(updated_at) > last then redis.call('HSET', key, 'updatedAt', updated_at) end
end

-- Commands of an epoch that nobody sees yet, packed as JSON; their keys lack the epoch's prefix.
local function run()
  local opened = redis.call('HGET', head_key, 'epoch')
  if opened and tonumber(opened) >= tonumber(epoch) then return { 'overtaken' } end
  for _, command in ipairs(cjson.decode(commands)) do
    local key = prefix .. command[2]
    if command[1] == 'SUMS' then
      add_sums(key, command[3], command[4], command[5], command[6])
    else
      redis.call(command[1], key, unpack(command, 3))
    end
  end
  return { 'loaded' }
end
