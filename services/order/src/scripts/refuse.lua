#!lua flags=allow-oom
-- Gives attempts on several orders up, each in one step: pending -> open, with the refusal. Only for their coordinator,
-- when it has not sent decide and nobody holds anything for them, now or ever. May be repeated.
--
-- KEYS[1]   {tag}:inflight    sorted set: an order's key -> when recovery looks at it (Unix ms)
-- KEYS[2…]  {tag}:order:<id>, one for each of n attempts  records: status, tx, refusal
-- ARGV      the tx of each attempt, then the refusal of each
--
-- Returns `status tx refusal` as they are now: that is the truth | UNKNOWN | NEWER for each attempt, or one for all of
-- them
--
-- Everything is read before anything is written.
-- @include orders
local count, gone = #KEYS - 1, {}
local answers = orders(2, function(place, key, record, opened)
  local status, tx, user, refusal, incarnation = read(ORDER.TEXTS_FORMAT, record, ORDER.STATUS_AT)
  if status == STATUS.PENDING and tx == ARGV[place] then
    status, refusal = STATUS.OPEN, ARGV[count + place]
    opened[key] = pack('<BB', RECORD.VERSION, ORDER.SIZE_OPEN + #tx + #user + #refusal)
      .. sub(record, RECORD.NUMBERS_AT, ORDER.NUMBERS_END)
      .. pack(ORDER.TEXTS_FORMAT, STATUS.OPEN_LENGTH, status, #tx, tx, #user, user, #refusal, refusal)
      .. sub(record, incarnation)
    gone[#gone + 1] = key
  end
  return status .. ' ' .. tx .. ' ' .. refusal
end)
if #gone > 0 then call('ZREM', KEYS[1], unpack(gone)) end
return answers
