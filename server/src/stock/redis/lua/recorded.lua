-- script: recorded
-- version: 1
-- keys: head
-- arguments: partition epoch seq
-- include: text

-- What is recorded leaves the journal; the recorded entry itself stays, for the next reading begins with it.
local fields = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'recorded')
if fields[1] ~= epoch or tonumber(fields[2]) < tonumber(seq) then return { 'lost' } end
if tonumber(fields[3]) < tonumber(seq) then
  redis.call('HSET', KEYS[1], 'recorded', seq)
  redis.call('XTRIM', '{p' .. partition .. '}:e' .. epoch .. ':journal', 'MINID', '~', epoch .. '-' .. seq)
end
return { 'recorded', fields[2] }
