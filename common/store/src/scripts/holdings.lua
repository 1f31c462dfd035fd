#!lua flags=no-writes
-- Reads all that a shard holds, with the records that it concerns, at one moment.
--
-- KEYS[1]   {tag}:held  hash: tx -> what is held for it (see reservation_record.rs of common/schema)
-- KEYS[2…]  other records to read
--
-- Returns { { tx, what is held, tx, what is held, … }, { key, bytes }, … }: each record that is concerned or was asked
-- for, nil for one that is not there, no bytes for a key of another type
--
-- The records' keys come from what is held: they were passed as keys when it was written, and are on this shard.
-- @include bytes
-- The keys of what is held for an attempt. A record of a later release tells none.
local function keys_of(record)
  local keys, place = {}, RESERVATION.USER_AT
  if string.byte(record, RESERVATION.KIND_AT) == string.byte(RESERVATION.CREDIT) then
    keys[1], keys[2] = struct.unpack('<Bc0Bc0', record, place)
    return keys
  end
  local lines = struct.unpack('<H', record, RESERVATION.LINES_AT)
  place = RESERVATION.FIRST_LINE_AT
  for line = 1, lines do
    keys[line], place = struct.unpack('<Bc0', record, place)
    place = place + RECORD.NUMBER_SIZE
  end
  return keys
end

local held = redis.call('HGETALL', KEYS[1])
local answer, seen = { held }, {}
local function look(key)
  if seen[key] then return end
  seen[key] = true
  answer[#answer + 1] = { key, bytes(key) }
end
for place = 2, #held, 2 do
  local is_record, keys = pcall(keys_of, held[place])
  if is_record and string.byte(held[place]) == RECORD.VERSION then
    for _, key in ipairs(keys) do look(key) end
  end
end
for place = 2, #KEYS do look(KEYS[place]) end
return answer
