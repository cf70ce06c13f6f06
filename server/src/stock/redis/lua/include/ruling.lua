-- What a rule makes of a command: the outcome, and the lines and holds that follow from it.
local function refuse(outcome)
  return { outcome = outcome, lines = {}, holds = {} }
end

-- Leaves no trace: the same operation id may be tried again.
local function refuse_in_passing(outcome)
  return { outcome = outcome, lines = {}, holds = {}, passing = true }
end

local function succeed(outcome, lines, holds)
  return { outcome = outcome, lines = lines, holds = holds or {} }
end

-- A refusal when levels lack what is taken from them, given how much each can give; nil: all of it can be had.
local function lacking(read, takes, can_give)
  local lines = {}
  for _, take in ipairs(takes) do
    local level = read.levels[take.level]
    local have = can_give(level)
    if have < take.quantity then
      lines[#lines + 1] = '{"storeId":"' .. level.store_id .. '","productId":"' .. level.product_id
        .. '","requested":' .. int(take.quantity) .. ',"available":' .. int(have)
        .. ',"hqAvailable":' .. int(hq_available(level.product)) .. '}'
    end
  end
  if #lines == 0 then return nil end
  return refuse('{"status":"insufficient","lines":[' .. table.concat(lines, ',') .. ']}')
end

-- The one level of a command that carries a version must still have it.
local function stale_version(read, expected)
  expected = optional(expected)
  if expected == nil or read.levels[1].version == expected then return nil end
  return refuse_in_passing('{"status":"stale-version","version":' .. int(read.levels[1].version) .. '}')
end

-- A refusal when a line would lift a level past what can be counted exactly.
local function overfull(read, lines)
  for _, line in ipairs(lines) do
    local level = read.levels[line.level]
    if level.on_hand + line.on_hand > ON_HAND_MAX then
      return refuse('{"status":"level-limit","storeId":"' .. level.store_id .. '","productId":"' .. level.product_id .. '"}')
    end
  end
  return nil
end

local DONE = '{"status":"done"}'
