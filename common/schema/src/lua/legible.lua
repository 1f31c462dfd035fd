-- @include parse
-- @include pick
-- As fields.lua, for those who only look, and go on whatever they meet: of a record that cannot be read every field is
-- `?`, but for its version.
local function legible(key, ...)
  local bytes = redis.pcall('GET', key)
  -- A key of another type is no record. Any other error is the script's own: on a cluster, a key of another shard.
  local err = type(bytes) == 'table' and bytes.err
  if err and not string.find(err, '^WRONGTYPE') then error(err) end
  local is_read, found = pcall(parse, key, bytes)
  if is_read then return pick(found or {}, ...) end
  local values = {}
  for place, name in ipairs({ ... }) do values[place] = name ~= RECORD.V and '?' end
  return values
end
