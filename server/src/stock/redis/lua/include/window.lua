-- The operation window and the closed holds. Nothing is forgotten that is not recorded, for the ledger could not be
-- asked for it. A few are forgotten every few entries, more than are added meanwhile.
local ROOM_EVERY, ROOM_STEPS = 8, 64

local function may_forget(head, size, seq, at, now)
  if seq > head.recorded then return false end
  local age = now - at
  return age > WINDOW_MS or (size > WINDOW_COUNT_MAX and age > WINDOW_KEEP_MS)
end

local function forget_operations(head, now)
  local operations, queue = prefix .. 'operations', prefix .. 'operation-queue'
  local size = redis.call('HLEN', operations)
  local floor = head.floor
  for _, oldest in ipairs(redis.call('LRANGE', queue, 0, ROOM_STEPS - 1)) do
    local seq, at, name = string.match(oldest, '^(%d+) (%d+) (.*)$')
    if not may_forget(head, size, tonumber(seq), tonumber(at), now) then break end
    redis.call('LPOP', queue)
    redis.call('HDEL', operations, name)
    size = size - 1
    floor = tonumber(seq)
  end
  if floor ~= head.floor then
    head.floor = floor
    redis.call('HSET', head_key, 'floor', int(floor))
  end
  return size < WINDOW_COUNT_HARD
end

local function forget_holds(head, now)
  local closed_holds = prefix .. 'closed'
  local size = redis.call('ZCARD', closed_holds)
  for _, reservation_id in ipairs(redis.call('ZRANGE', closed_holds, 0, ROOM_STEPS - 1)) do
    local record = read_hold(reservation_id)
    if record and not may_forget(head, size, record.seq, record.at, now) then break end
    redis.call('ZREM', closed_holds, reservation_id)
    redis.call('DEL', hold_key(reservation_id))
    size = size - 1
  end
end

-- False: the window is full of what may not be forgotten.
local function make_room(head, now)
  if head.seq % ROOM_EVERY ~= 0 then return true end
  forget_holds(head, now)
  return forget_operations(head, now)
end
