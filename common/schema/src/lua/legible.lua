-- @include get
-- @include parse
-- @include pick
-- As fields.lua, for those who only look, and go on whatever they meet: of a record that cannot be read every field is
-- `?`, but for its version.
local function legible(key, ...)
  local is_read, found = pcall(parse, key, get(key))
  if is_read then return pick(found or {}, ...) end
  local values = {}
  for place, name in ipairs({ ... }) do values[place] = name ~= RECORD.V and '?' end
  return values
end
