-- @include shortcuts
-- @include told
-- @include write_orders
-- Asks about orders, one after the other: their keys begin at KEYS[first]. `answer(place, key, record, written)` tells
-- what one of the attempts is answered, and puts into `written`, by key, the record that it writes. Everything is read
-- before it is written. Returns the answers.
local function orders(first, answer)
  local records, written, answers = call('MGET', unpack(KEYS, first)), {}, {}
  for place = 1, #records do
    local key = KEYS[first - 1 + place]
    local record = written[key] or records[place]
    answers[place] = not record and REPLY.UNKNOWN or byte(record) ~= RECORD.VERSION and REPLY.NEWER
      or answer(place, key, record, written)
  end
  write_orders(written)
  return told(answers)
end
