-- @include layout
-- All fields of a record by name, from its bytes: numbers as numbers; false if there is none, { v = version } if it is
-- of a later release. For scripts that are in no hurry; those that are asked by many attempts in one call read the
-- bytes themselves.
local function parse(key, bytes)
  if not bytes then return false end
  if string.byte(bytes) ~= RECORD.VERSION then return { v = tostring(string.byte(bytes)) } end
  local form, found, place = layout(key), {}, RECORD.NUMBERS_AT
  for _, name in ipairs(form.numbers) do
    local number
    number, place = struct.unpack('<d', bytes, place)
    -- What is not there is not a number, and so is not itself.
    if number == number then found[name] = number end
  end
  for _, name in ipairs(form.texts) do
    local text
    text, place = struct.unpack('<Bc0', bytes, place)
    if text ~= '' then found[name] = text end
  end
  local incarnation = string.sub(bytes, place)
  if incarnation ~= '' then found[RECORD.INCARNATION] = incarnation end
  return found
end
