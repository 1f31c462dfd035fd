#!lua flags=allow-oom
-- Makes final what attempts hold of users' credit: it is charged. One attempt after the other, as if each had a call of
-- its own.
--
-- KEYS[1]   {tag}:held            hash: tx -> what is held for it (see reservation_record.rs of common/schema)
-- KEYS[2]   {tag}:ended:<second>  hash: tx -> the answer that it has got for good; of attempts with a deadline in this
--                                 second
-- ARGV[1]   when tombstones of this second end (Unix ms)
-- ARGV[2]   doubles: the deadline of each attempt (Unix ms)
-- ARGV[3…]  the tx of each attempt
--
-- Returns CONFIRMED | GONE (unknown, settled long ago) | LOST (unknown: an alarm) | CONFLICT (cancelled: an alarm)
-- | NEWER for each attempt, or one for all of them
--
-- The other keys come from what is held: they were passed as keys when it was written, and are on this shard.
-- Everything is read before anything is written.
-- @include told
-- @include write
-- @include now_ms
-- @include settle
local charged, gone, tombstones, given = {}, {}, {}, {}
local function confirm(place, tx)
  if given[tx] then return REPLY.CONFIRMED end
  if not held[place] then
    local answer = ended[place]
    if answer then return (answer == REPLY.CONFIRMED or answer == REPLY.NEWER) and answer or REPLY.CONFLICT end
    return now_ms() >= deadlines[place] + LIMIT.SETTLED_AFTER_MS and REPLY.GONE or REPLY.LOST
  end
  local part = parts[place]
  if not part or is_newer(part) then return REPLY.NEWER end
  charged[part.user] = (charged[part.user] or 0) + part.amount
  if is_reserved(part) then
    local payment = records[part.payment]
    -- `charged` is one byte shorter than `reserved`, and so the incarnation begins one byte earlier.
    change(part.payment,
      pack('<BB', RECORD.VERSION, byte(payment, RECORD.INCARNATION_PLACE_AT) - STATE.RESERVED_LONGER_THAN_CHARGED)
      .. sub(payment, RECORD.NUMBERS_AT, PAYMENT.NUMBERS_END) .. STATE.CHARGED_TEXT
      .. sub(payment, PAYMENT.BEHIND_RESERVED))
  end
  given[tx] = true
  gone[#gone + 1] = tx
  tombstones[#tombstones + 1] = tx
  tombstones[#tombstones + 1] = REPLY.CONFIRMED
  return REPLY.CONFIRMED
end

local answers = {}
for place, tx in ipairs(txs) do answers[place] = confirm(place, tx) end

for user, amount in pairs(charged) do
  local record = records[user]
  local holds = read('<d', record, USER.HELD_AT)
  change(user, sub(record, 1, USER.CREDIT_END) .. pack('<d', holds - amount) .. sub(record, USER.NET_AT))
end
write(changes, {}, gone, tombstones, ARGV[1])
return told(answers)
