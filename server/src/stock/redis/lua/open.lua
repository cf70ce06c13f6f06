-- script: open
-- version: 1
-- keys: head
-- arguments: epoch seq mark at floor levels
-- include:

-- One write opens the epoch. One that was overtaken is not opened any more.
local opened = redis.call('HGET', KEYS[1], 'epoch')
if opened and tonumber(opened) >= tonumber(epoch) then return { 'overtaken' } end
redis.call('HSET', KEYS[1], 'epoch', epoch, 'seq', seq, 'mark', mark, 'at', at, 'recorded', seq, 'floor', floor,
  'levels', levels)
return { 'opened' }
