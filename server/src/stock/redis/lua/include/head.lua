-- Where the partition's journal stands. Opening an epoch is the one write that makes this key.
local function read_head()
  local fields = redis.call('HMGET', head_key, 'epoch', 'seq', 'mark', 'at', 'recorded', 'floor', 'levels')
  if not fields[1] then return nil end
  return {
    epoch = tonumber(fields[1]),
    seq = tonumber(fields[2]),
    mark = fields[3],
    at = tonumber(fields[4]),
    recorded = tonumber(fields[5]),
    floor = tonumber(fields[6]),
    levels = tonumber(fields[7]),
  }
end

-- A partition that is not what the caller knows answers nothing from what it holds.
local function refuse_head(head)
  if not head then return { 'lost', 'the partition has no head' } end
  if head.epoch ~= tonumber(epoch) then
    return { 'lost', 'the partition is in epoch ' .. head.epoch .. ', the caller in epoch ' .. epoch }
  end
  if head.seq < tonumber(known_seq) then
    return { 'lost', 'the partition is at entry ' .. int(head.seq) .. ', recorded is ' .. known_seq }
  end
  return nil
end
