-- Moves between two places: the levels come in pairs, source then target.
local function levels_of_pairs(command, from, to)
  local found = {}
  for _, item in ipairs(command.items) do
    found[#found + 1] = level_of(hq_id, from, item[2])
    found[#found + 1] = level_of(hq_id, to, item[2])
  end
  return found
end

local function move(command, read)
  local takes, lines = {}, {}
  for index, item in ipairs(command.items) do
    takes[index] = { level = 2 * index - 1, quantity = item[3] }
    lines[#lines + 1] = { level = 2 * index - 1, on_hand = -item[3], reserved = 0 }
    lines[#lines + 1] = { level = 2 * index, on_hand = item[3], reserved = 0 }
  end
  return lacking(read, takes, available) or overfull(read, lines) or succeed(DONE, lines)
end
