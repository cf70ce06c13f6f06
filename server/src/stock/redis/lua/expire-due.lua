-- script: expire-due
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq now_ms

-- Open, due holds in the order in which they came due, by HQ.
local function due_holds(at)
  local by_hq, order = {}, {}
  for _, reservation_id in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'due', '-inf', at, 'LIMIT', 0, EXPIRE_BATCH_MAX)) do
    local record = read_hold(reservation_id)
    if record then
      if not by_hq[record.hq] then
        by_hq[record.hq] = {}
        order[#order + 1] = record.hq
      end
      table.insert(by_hq[record.hq], hold_of(record.text))
    end
  end
  return by_hq, order
end

local function run()
  local head = read_head()
  local refused = refuse_head(head)
  if refused then return refused end
  local at, ahead = moment(head, now_ms)
  if ahead > 0 then return { 'clock-ahead', int(ahead + CLOCK_AHEAD_MS_MAX) } end
  local by_hq, order = due_holds(at)
  local count, latest = 0, 0
  for _, hq in ipairs(order) do
    if head.seq - head.recorded >= UNRECORDED_MAX then break end
    local found = by_hq[hq]
    latest = math.max(latest, at - found[1].tuple[EXPIRES])
    expire(head, hq, found, at, '"expiry-' .. partition .. '-' .. int(head.seq + 1) .. '"')
    count = count + #found
  end
  return { 'expired', int(count), int(latest) }
end
