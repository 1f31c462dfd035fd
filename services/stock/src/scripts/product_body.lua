-- @include shortcuts
-- What of a document's body the indexes are made of: see product.rs of common/schema.
local function texts(bytes, place)
  local count, list
  count, place, list = read('B', bytes, place), place + 1, {}
  for at = 1, count do list[at], place = read('Bc0', bytes, place) end
  return list, place
end

local function described(bytes, place)
  local found = {}
  found.status, found.handle, found.sort_name, place = read('BBc0Bc0', bytes, place)
  found.tags, place = texts(bytes, place)
  found.words, place = texts(bytes, place)
  found.name = read('<Hc0', bytes, place)
  return found
end
