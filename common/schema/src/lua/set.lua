-- @include record
-- @include write_record
-- Writes fields of a record, which is made if it is not there: what HSET is to a hash. An empty text, or false, takes a
-- field out.
local function set(key, ...)
  local changes, found = { ... }, record(key) or {}
  for place = 1, select('#', ...), 2 do found[changes[place]] = changes[place + 1] end
  write_record(key, found)
end
