-- script: open
-- version: 1
-- keys: head
-- arguments: epoch seq mark at floor levels

-- One write opens the epoch. One that was overtaken is not opened any more.
local function run()
  local opened = redis.call('HGET', head_key, 'epoch')
  if opened and tonumber(opened) >= tonumber(epoch) then return { 'overtaken' } end
  redis.call('HSET', head_key, 'epoch', epoch, 'seq', seq, 'mark', mark, 'at', at, 'recorded', seq, 'floor', floor,
    'levels', levels)
  return { 'opened' }
end
