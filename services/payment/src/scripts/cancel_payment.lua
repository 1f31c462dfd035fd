#!lua flags=allow-oom
-- Gives back what a direct payment took for an order, once.
--
-- KEYS[1]  {tag}:user:<id>               record: credit, held, net, incarnation
-- KEYS[2]  {tag}:payment:<user>:<order>  record: state, by, charged, refunded, incarnation
-- ARGV[1]  the order's incarnation (see pay.lua)
-- ARGV[2]  the largest amount: credit + held and net stay within it
--
-- Returns DONE (also for a repeat) | UNKNOWN_PAYMENT | PENDING (a checkout holds the order) | CHECKOUT (a checkout
-- paid it: not cancelled here) | OUT_OF_RANGE | NEWER (a record of a later release)
-- @include fields
-- @include set
local user = fields(KEYS[1], USER.CREDIT, USER.HELD, USER.NET, RECORD.INCARNATION, RECORD.V)
local payment = fields(KEYS[2], PAYMENT.STATE, PAYMENT.BY, PAYMENT.CHARGED, RECORD.INCARNATION, RECORD.V)
if user[5] or payment[5] then return REPLY.NEWER end
local mine = (user[4] or '') .. INCARNATION.SEPARATOR
local same = payment[4] == mine .. ARGV[1]
  or ARGV[1] == INCARNATION.ANY and string.sub(payment[4] or '', 1, #mine) == mine
if not user[1] or not payment[1] or not same then return REPLY.UNKNOWN_PAYMENT end
if payment[1] == STATE.CANCELLED then return REPLY.DONE end
if payment[1] == STATE.RESERVED then return REPLY.PENDING end
if payment[2] == BY.CHECKOUT then return REPLY.CHECKOUT end

local credit, held, net, amount = tonumber(user[1]), tonumber(user[2]), tonumber(user[3]), tonumber(payment[3])
local max = tonumber(ARGV[2])
if amount > max - credit - held or amount > max - net then return REPLY.OUT_OF_RANGE end
set(KEYS[2], PAYMENT.STATE, STATE.CANCELLED, PAYMENT.REFUNDED, payment[3])
set(KEYS[1], USER.CREDIT, credit + amount, USER.NET, net + amount)
return REPLY.DONE
