-- Some fields of a record that was parsed, in the order of their names, as texts; false for what is not there.
local function pick(found, ...)
  local values = {}
  for place, name in ipairs({ ... }) do
    local value = found[name]
    values[place] = type(value) == 'number' and string.format('%.0f', value) or value or false
  end
  return values
end
