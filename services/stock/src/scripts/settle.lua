-- @include numbers
-- @include tombstones_of
-- What confirm.lua and cancel.lua have in common: reads what is held for the attempts, and reads and writes the items
-- of it. It stands where they say so.
local deadlines, txs = numbers(ARGV[2]), { unpack(ARGV, 3) }
local held = call('HMGET', KEYS[1], unpack(txs))
local ended = tombstones_of(txs, held)

-- The lines of each attempt (item's key, units, …), and the items' keys, each
-- once. An attempt whose record is of a later release has none.
local lines_of, keys, place_of, formats = {}, {}, {}, {}
for place = 1, #txs do
  local record = held[place]
  if record and byte(record) == RECORD.VERSION then
    local many = read('<H', record, RESERVATION.LINES_AT)
    formats[many] = formats[many] or '<' .. string.rep('Bc0d', many)
    local lines = { read(formats[many], record, RESERVATION.FIRST_LINE_AT) }
    -- Behind them is where the reading ended.
    lines[#lines] = nil
    lines_of[place] = lines
    for at = 1, #lines, 2 do
      local key = lines[at]
      if not place_of[key] then
        keys[#keys + 1] = key
        place_of[key] = #keys
      end
    end
  end
end

-- Lua unpacks some 8000 values at most, and large carts that are settled together have more: they are taken in parts.
local PART = 4000
local function part(list, first) return unpack(list, first, math.min(first + PART - 1, #list)) end

local records, all_known = {}, true
for first = 1, #keys, PART do
  for at, record in ipairs(call('MGET', part(keys, first))) do
    local is_known = record and byte(record) == RECORD.VERSION
    records[first + at - 1], all_known = is_known and record, all_known and is_known
  end
end

-- Writes items: their keys and records, in turn.
local function write_items(items)
  for first = 1, #items, PART do call('MSET', part(items, first)) end
end

-- Whether an item of these lines cannot be written by this release.
local function is_newer(lines)
  if all_known then return false end
  for at = 1, #lines, 2 do
    if not records[place_of[lines[at]]] then return true end
  end
  return false
end
