#!lua
-- Begins attempts on several orders: open -> pending. One after the other, as if each had a call of its own. May be
-- repeated; a tx begins at most once.
--
-- KEYS[1]   {tag}:inflight    sorted set: an order's key -> when recovery looks at it (Unix ms)
-- KEYS[2…]  for n attempts: their n orders, then n carts
--   {tag}:order:<id>  record: status, tx, refusal, user, total, deadline, lease, incarnation
--   {tag}:cart:<id>   hash: item -> units and the sum quoted for them; frozen while the order is not open
-- ARGV[1]   lease, ms from now
-- ARGV[2]   deadline, ms from now
-- ARGV[3…]  the tx of each attempt
--
-- Returns one answer for each attempt: `item units sum item units sum …`, a line feed, and the order's record: the
-- attempt is this tx's to drive | `status tx refusal`: it is not; open (this tx has ended), pending or aborting
-- (another's, or this one's that is being given up), paid, or MOVED (this tx is not later than the last), UNKNOWN,
-- NEWER (a record of a later release)
--
-- Everything is read before anything is written.
-- @include shortcuts
-- @include write_orders
-- @include minted_ms
local count = (#KEYS - 1) / 2
local records = call('MGET', unpack(KEYS, 2, 1 + count))
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease, soon = now + ARGV[1], now + ARGV[2]
-- What this call writes, by order: its record, and the tx that began.
local written, begun = {}, {}

local function cart(place) return table.concat(call('HGETALL', KEYS[1 + count + place]), ' ') .. '\n' end

local function begin(place)
  local key, record, tx = KEYS[1 + place], records[place], ARGV[2 + place]
  if written[key] then
    if begun[key] ~= tx then return STATUS.PENDING_WITH .. begun[key] .. ' ' end
    return cart(place) .. written[key]
  end
  if not record then return REPLY.UNKNOWN end
  if byte(record) ~= RECORD.VERSION then return REPLY.NEWER end
  local total, _, _, status, last, user, refusal, incarnation = read(ORDER.FORMAT, record, RECORD.NUMBERS_AT)
  if status == STATUS.PAID or status == STATUS.ABORTING then return status .. ' ' .. last .. ' ' .. refusal end
  if last == tx then
    if status == STATUS.OPEN then return STATUS.OPEN_WITH .. last .. ' ' .. refusal end
  else
    if status == STATUS.PENDING then return STATUS.PENDING_WITH .. last .. ' ' end
    -- An old message that comes late, or a clock that goes backwards, cannot begin again what is over.
    if minted_ms(tx) <= minted_ms(last) then return REPLY.MOVED_WITH .. last .. ' ' end
    record = pack('<BBdddBc0Bc0Bc0B', RECORD.VERSION, ORDER.SIZE_PENDING + #tx + #user, total, soon, lease,
      STATUS.PENDING_LENGTH, STATUS.PENDING, #tx, tx, #user, user, 0)
      .. sub(record, incarnation)
    written[key], begun[key] = record, tx
  end
  return cart(place) .. record
end

local answers = {}
for place = 1, count do answers[place] = begin(place) end

local listed, due = {}, string.format('%.0f', lease)
for key in pairs(written) do
  listed[#listed + 1] = due
  listed[#listed + 1] = key
end
write_orders(written)
if #listed > 0 then call('ZADD', KEYS[1], unpack(listed)) end
return answers
