-- script: read-hold
-- version: 1
-- keys: head
-- arguments: partition epoch known_seq reservation_id

local function run()
  local head = read_head()
  local refused = refuse_head(head)
  if refused then return refused end
  local record = read_hold(reservation_id)
  if not record then return { 'hold', '', '', int(head.seq), head.mark } end
  return { 'hold', record.hq, record.text, int(head.seq), head.mark }
end
