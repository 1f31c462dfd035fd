-- @include layout
-- Writes a record anew, from all of its fields by name. What is absent, an empty text or false is not written.
local function write_record(key, found)
  local form, parts = layout(key), {}
  for _, name in ipairs(form.numbers) do
    parts[#parts + 1] = struct.pack('<d', tonumber(found[name] or nil) or 0 / 0)
  end
  for _, name in ipairs(form.texts) do
    local text = found[name] or ''
    parts[#parts + 1] = struct.pack('<Bc0', #text, text)
  end
  local body = table.concat(parts)
  local head = string.char(RECORD.VERSION, #body + RECORD.HEAD_SIZE)
  redis.call('SET', key, head .. body .. (found[RECORD.INCARNATION] or ''))
end
