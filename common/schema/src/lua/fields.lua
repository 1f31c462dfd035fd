-- Items, users, payments and orders by the names of their fields, for scripts that are in no hurry: `fields` is to such a
-- record what HMGET is to a hash, `set` what HSET is. It stands where a script says so. How a record lies in Redis is
-- told in common/src/record.rs; scripts that are asked by many attempts in one call read its bytes themselves.
local layouts = {}
local function layout(key)
  local kind = string.match(key, '^{%d+}:(%a+):')
  if kind and not layouts[kind] then
    layouts[kind] = kind == KEY.ITEM and { numbers = ITEM.NUMBERS, texts = ITEM.TEXTS }
      or kind == KEY.USER and { numbers = USER.NUMBERS, texts = USER.TEXTS }
      or kind == KEY.PAYMENT and { numbers = PAYMENT.NUMBERS, texts = PAYMENT.TEXTS }
      or kind == KEY.ORDER and { numbers = ORDER.NUMBERS, texts = ORDER.TEXTS }
  end
  return layouts[kind]
end

-- All fields of a record by name, numbers as numbers; false if there is none, { v = version } if it is of a later release.
local function record(key)
  local bytes = redis.call('GET', key)
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
  local life = string.sub(bytes, place)
  if life ~= '' then found.life = life end
  return found
end

-- Some fields of a record, in the order of their names, as texts; false for what is not there.
local function fields(key, ...)
  local found, values = record(key) or {}, {}
  for place, name in ipairs({ ... }) do
    local value = found[name]
    values[place] = type(value) == 'number' and string.format('%.0f', value) or value or false
  end
  return values
end

-- The same for those who only look, and go on whatever they meet: of a record that cannot be read every field is `?`, but
-- for its version.
local function legible(key, ...)
  local is_read, values = pcall(fields, key, ...)
  if is_read then return values end
  values = {}
  for place, name in ipairs({ ... }) do values[place] = name ~= RECORD.V and '?' end
  return values
end

-- Writes fields of a record, which is made if it is not there. An empty text, or false, takes a field out.
local function set(key, ...)
  local changes, found, form = { ... }, record(key) or {}, layout(key)
  for place = 1, select('#', ...), 2 do found[changes[place]] = changes[place + 1] end
  local parts = {}
  for _, name in ipairs(form.numbers) do parts[#parts + 1] = struct.pack('<d', tonumber(found[name] or nil) or 0 / 0) end
  for _, name in ipairs(form.texts) do
    local text = found[name] or ''
    parts[#parts + 1] = struct.pack('<Bc0', #text, text)
  end
  local body = table.concat(parts)
  redis.call('SET', key, string.char(RECORD.VERSION, #body + RECORD.HEAD_SIZE) .. body .. (found.life or ''))
end
