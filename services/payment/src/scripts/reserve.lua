#!lua
-- Holds, for each of several attempts to pay an order, an amount of a user's credit: one attempt after the other, as if
-- each had a call of its own.
--
-- KEYS[1]   {tag}:held            hash: tx -> what is held for it (see reservation_record.rs of common/schema)
-- KEYS[2]   {tag}:ended:<second>  hash: tx -> the answer that it has got for good; of attempts with a deadline in this
--                                 second
-- KEYS[3…]  {tag}:user:<id>       records: credit, held, before, incarnation
--           {tag}:payment:<user>:<order>  records: state, by, charged, refunded, was, incarnation; each key once
-- ARGV[1]   n, the number of attempts
-- ARGV[2]   when tombstones of this second end (Unix ms)
-- ARGV[3]   doubles, for each attempt: deadline (Unix ms), the user's place and the payment's place among these keys,
--           and the amount, from 0
-- ARGV[4…]  n times tx, then n times what is to be kept in `held` up to the incarnation, then n times the order's
--           incarnation (which of the orders that had this id one after the other; empty for a minted id)
--
-- Returns HELD | BUSY (others hold the credit) | PENDING (another attempt holds the order) | EXPIRED | UNKNOWN
-- | INSUFFICIENT | ALREADY_PAID | CANCELLED | CONFIRMED | NEWER for each attempt, or one for all of them
--
-- What was answered before is looked for before clock and credit: a repeat must get the first answer even when the
-- deadline has passed, or the credit has been spent, since. Everything is read before anything is written.
-- @include numbers
-- @include told
-- @include write
-- @include known
-- @include now_ms
local count = tonumber(ARGV[1])
local held = call('HMGET', KEYS[1], unpack(ARGV, 4, 3 + count))
local ended = call('HMGET', KEYS[2], unpack(ARGV, 4, 3 + count))
local wanted = numbers(ARGV[3])
local records = call('MGET', unpack(KEYS, 3))
local now, NONE = now_ms(), 0 / 0

-- What the attempts before leave behind, by place: users, and the incarnations for which payments are reserved.
local credit, holds, incarnations, newer, reserved = {}, {}, {}, {}, {}
local changed, before, charges, back = {}, {}, {}, {}

local function look(user)
  local record = records[user]
  if not record then
    credit[user] = false
  elseif byte(record) ~= RECORD.VERSION then
    credit[user], newer[user] = false, true
  else
    credit[user], holds[user] = read('<dd', record, USER.CREDIT_AT)
    incarnations[user] = sub(record, USER.INCARNATION_AT) .. INCARNATION.SEPARATOR
  end
end

-- How a payment stands: state, by whom, charged, incarnation, whether it is of a later release. Most often there is
-- none.
local function look_at_payment(payment)
  if reserved[payment] then return STATE.RESERVED, BY.CHECKOUT, nil, reserved[payment] end
  local record = records[payment]
  if not record then return nil end
  if byte(record) ~= RECORD.VERSION then return nil, nil, nil, nil, true end
  local charged, _, _, state, by, place = read(PAYMENT.FORMAT, record, RECORD.NUMBERS_AT)
  return state, by, charged, sub(record, place)
end

local kept, tombstones, given = {}, {}, {}

-- A refusal leaves a tombstone, and so is final.
local function refuse(tx, answer)
  given[tx] = answer
  tombstones[#tombstones + 1] = tx
  tombstones[#tombstones + 1] = answer
  return answer
end

local function reserve(place)
  local tx, at = ARGV[3 + place], 4 * place - 3
  if held[place] then return byte(held[place]) == RECORD.VERSION and REPLY.HELD or REPLY.NEWER end
  if ended[place] or given[tx] then return given[tx] or known(ended[place]) end
  if now > wanted[at] then return REPLY.EXPIRED end

  local user, payment, amount = wanted[at + 1], wanted[at + 2], wanted[at + 3]
  if credit[user] == nil then look(user) end
  local state, by, charged, of, is_newer = look_at_payment(payment)
  if newer[user] or is_newer then return REPLY.NEWER end
  if not credit[user] then return refuse(tx, REPLY.UNKNOWN) end
  local incarnation = incarnations[user] .. ARGV[3 + 2 * count + place]
  -- A payment of another incarnation of the user or the order says nothing about this one.
  if state and of == incarnation then
    if state == STATE.RESERVED then return REPLY.PENDING end
    if state == STATE.CHARGED then return refuse(tx, REPLY.ALREADY_PAID) end
  end
  if credit[user] < amount then
    return credit[user] + holds[user] < amount and refuse(tx, REPLY.INSUFFICIENT) or REPLY.BUSY
  end

  credit[user], holds[user], changed[user] = credit[user] - amount, holds[user] + amount, true
  back[payment] = nil
  if state and of == incarnation then
    -- A direct payment that was given back: `was` brings it back should this attempt be cancelled.
    back[payment] = charged
  elseif state == STATE.CHARGED and by == BY.CHECKOUT and sub(of, 1, #incarnations[user]) == incarnations[user] then
    -- What a checkout charged this user for an order that was overwritten since stays charged: `before`, for the audit.
    before[user] = (before[user] or 0) + charged
  end
  reserved[payment], charges[payment], given[tx] = incarnation, amount, REPLY.HELD
  kept[#kept + 1] = tx
  kept[#kept + 1] = ARGV[3 + count + place] .. incarnation
  return REPLY.HELD
end

local answers = {}
for place = 1, count do answers[place] = reserve(place) end

local changes = {}
for user in pairs(changed) do
  local record = records[user]
  local tail = sub(record, USER.NET_AT)
  if before[user] then
    local was = read('<d', record, USER.BEFORE_AT)
    tail = sub(record, USER.NET_AT, USER.NET_END) .. pack('<d', (was == was and was or 0) + before[user])
      .. sub(record, USER.INCARNATION_AT)
  end
  changes[#changes + 1] = KEYS[2 + user]
  changes[#changes + 1] = sub(record, 1, RECORD.HEAD_SIZE) .. pack('<dd', credit[user], holds[user]) .. tail
end
for payment, incarnation in pairs(reserved) do
  changes[#changes + 1] = KEYS[2 + payment]
  changes[#changes + 1] = pack('<BBddd', RECORD.VERSION, PAYMENT.SIZE_RESERVED_BY_CHECKOUT, charges[payment], 0,
    back[payment] or NONE) .. PAYMENT.RESERVED_BY_CHECKOUT .. incarnation
end
write(changes, kept, {}, tombstones, ARGV[2])
return told(answers)
