-- @include get
-- What lies under a key, byte by byte: false if nothing does, nothing at all for a key of another type.
local function bytes(key)
  local found = get(key)
  return type(found) == 'table' and '' or found
end
