-- script: read-head
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq

local function run()
  local head = read_head()
  local refused = refuse_head(head)
  if refused then return refused end
  return { 'head', int(head.seq), head.mark, int(head.levels), int(head.seq - head.recorded),
    redis.call('ZCARD', prefix .. 'due'), redis.call('HLEN', prefix .. 'operations') }
end
