-- script: recorded
-- version: 1
-- keys: head
-- arguments: partition epoch seq

-- What is recorded leaves the journal; the recorded entry itself stays, for the next reading begins with it.
local function run()
  local fields = redis.call('HMGET', head_key, 'epoch', 'seq', 'recorded')
  if fields[1] ~= epoch or tonumber(fields[2]) < tonumber(seq) then return { 'lost' } end
  if tonumber(fields[3]) < tonumber(seq) then
    redis.call('HSET', head_key, 'recorded', seq)
    redis.call('XTRIM', prefix .. 'journal', 'MINID', '~', epoch .. '-' .. seq)
  end
  return { 'recorded', fields[2] }
end
