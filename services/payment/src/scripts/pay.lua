#!lua
-- Takes an amount from a user's credit directly, outside any checkout; for an order at most once.
--
-- KEYS[1]  {tag}:user:<id>               record: credit, net, incarnation, before
-- KEYS[2]  {tag}:payment:<user>:<order>  record: state, by, charged, refunded, incarnation (absent for a payment
--                                        without an order)
-- ARGV[1]  amount, from 0
-- ARGV[2]  the order's incarnation: which of the orders that had this id one after the other; empty for a minted id;
--          `*` if there is no such order (any more): then a payment for whichever had the id counts
--
-- Returns DONE (also for a repeat) | UNKNOWN | INSUFFICIENT | PENDING (a checkout holds the order) | ALREADY_PAID
-- | NEWER (a record of a later release)
-- @include fields
-- @include write_record
local user = redis.call('GET', KEYS[1])
if not user then return REPLY.UNKNOWN end
if string.byte(user) ~= RECORD.VERSION then return REPLY.NEWER end
local credit, held, net, before = struct.unpack('<dddd', user, USER.CREDIT_AT)
local amount = tonumber(ARGV[1])

if KEYS[2] then
  local mine = string.sub(user, USER.INCARNATION_AT) .. INCARNATION.SEPARATOR
  local incarnation = mine .. (ARGV[2] == INCARNATION.ANY and '' or ARGV[2])
  local payment = fields(KEYS[2], PAYMENT.STATE, PAYMENT.BY, PAYMENT.CHARGED, RECORD.INCARNATION, RECORD.V)
  if payment[5] then return REPLY.NEWER end
  -- A payment of another incarnation of the user or the order says nothing about this one.
  local same = payment[4] == incarnation
    or ARGV[2] == INCARNATION.ANY and string.sub(payment[4] or '', 1, #mine) == mine
  if payment[1] and same then
    if payment[1] == STATE.RESERVED then return REPLY.PENDING end
    if payment[1] == STATE.CHARGED and payment[2] == BY.PAY and payment[3] == ARGV[1] then return REPLY.DONE end
    return REPLY.ALREADY_PAID
  end
  if credit < amount then return REPLY.INSUFFICIENT end
  -- What a checkout charged this user for an order that was overwritten since stays charged: `before`, for the audit.
  if payment[1] == STATE.CHARGED and payment[2] == BY.CHECKOUT and string.sub(payment[4] or '', 1, #mine) == mine then
    before = (before == before and before or 0) + payment[3]
  end
  write_record(KEYS[2], {
    [PAYMENT.STATE] = STATE.CHARGED,
    [PAYMENT.BY] = BY.PAY,
    [PAYMENT.CHARGED] = ARGV[1],
    [PAYMENT.REFUNDED] = 0,
    [RECORD.INCARNATION] = incarnation,
  })
elseif credit < amount then
  return REPLY.INSUFFICIENT
end
redis.call('SETRANGE', KEYS[1], USER.CREDIT_OFFSET, struct.pack('<dddd', credit - amount, held, net - amount, before))
return REPLY.DONE
