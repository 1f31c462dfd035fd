-- What scripts have in common that are asked by many attempts in one call. It stands where such a script says so.
local call, read, pack, byte, sub = redis.call, struct.unpack, struct.pack, string.byte, string.sub

-- A text of doubles as a list; behind the last of them is one number more.
local function numbers(text) return { read('<' .. string.rep('d', #text / RECORD.NUMBER_SIZE), text) } end

-- One word for all attempts if all have the same answer, else the list.
local function told(answers)
  for place = 2, #answers do
    if answers[place] ~= answers[1] then return answers end
  end
  return answers[1]
end

-- Writes orders: their records, by key.
local function write_orders(records)
  local written = {}
  for key, record in pairs(records) do
    written[#written + 1] = key
    written[#written + 1] = record
  end
  if #written > 0 then call('MSET', unpack(written)) end
end

-- Asks about orders, one after the other: their keys begin at KEYS[first]. `answer(place, key, record, left)` tells what one
-- of the attempts is answered, and puts into `left`, by key, the record that it leaves. Everything is read before it is
-- written. Returns the answers.
local function orders(first, answer)
  local records, left, answers = call('MGET', unpack(KEYS, first)), {}, {}
  for place = 1, #records do
    local key = KEYS[first - 1 + place]
    local record = left[key] or records[place]
    answers[place] = not record and REPLY.UNKNOWN or byte(record) ~= RECORD.VERSION and REPLY.NEWER or answer(place, key, record, left)
  end
  write_orders(left)
  return told(answers)
end

-- How a participant's script ends: writes records (key, value, …), makes, changes and ends reservations in KEYS[1] and
-- leaves tombstones in KEYS[2] that last until `ends`.
local function write(records, kept, gone, tombstones, ends)
  if #records > 0 then call('MSET', unpack(records)) end
  if #kept > 0 then call('HSET', KEYS[1], unpack(kept)) end
  if #gone > 0 then call('HDEL', KEYS[1], unpack(gone)) end
  if #tombstones > 0 then
    call('HSET', KEYS[2], unpack(tombstones))
    call('PEXPIREAT', KEYS[2], ends)
  end
end

-- What a tombstone says; those of a later release begin with a number.
local function known(answer) return byte(answer) >= TOMBSTONE.LETTERS_FROM and answer or REPLY.NEWER end

-- The tombstones of those attempts for which nothing is held.
local function tombstones_of(txs, held)
  local unheld, places, found = {}, {}, {}
  for place = 1, #txs do
    if not held[place] then
      unheld[#unheld + 1] = txs[place]
      places[#places + 1] = place
    end
  end
  if #unheld > 0 then
    for at, answer in ipairs(call('HMGET', KEYS[2], unpack(unheld))) do
      found[places[at]] = answer and known(answer)
    end
  end
  return found
end

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + time[2] / 1000
end
