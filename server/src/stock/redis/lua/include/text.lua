-- Numbers and JSON. Lua joins numbers with 14 digits, and sums over an HQ have more. Small ones are kept as texts.
local texts = {}
local TEXTS_MAX = 1000

local function int(number)
  local text = texts[number]
  if text then return text end
  text = string.format('%d', number)
  if number >= 0 and number < TEXTS_MAX then texts[number] = text end
  return text
end

local function int_or_null(number)
  return number == nil and 'null' or int(number)
end

-- Ids hold nothing that JSON escapes.
local function text_or_null(text)
  return text == nil and 'null' or '"' .. text .. '"'
end

-- What JSON calls null, and what was left out.
local function optional(value)
  if value == cjson.null then return nil end
  return value
end

-- Most lists have one value: its text is not made once more.
local function concatenated(texts)
  return #texts == 1 and texts[1] or table.concat(texts, ',')
end

local function joined(values, encode)
  if #values == 1 then return encode(values[1]) end
  local texts = {}
  for index = 1, #values do texts[index] = encode(values[index]) end
  return table.concat(texts, ',')
end
