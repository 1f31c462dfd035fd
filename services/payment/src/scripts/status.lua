#!lua flags=no-writes
-- How a user's payment for an order stands.
--
-- KEYS[1]  {tag}:user:<id>               record: incarnation
-- KEYS[2]  {tag}:payment:<user>:<order>  record: state, incarnation
-- ARGV[1]  the order's incarnation (see pay.lua)
--
-- Returns NONE | RESERVED (an attempt is undecided, or not settled yet) | CHARGED | CANCELLED | NEWER (a record of a
-- later release)
-- @include fields
local user = fields(KEYS[1], RECORD.INCARNATION, RECORD.V)
local payment = fields(KEYS[2], PAYMENT.STATE, RECORD.INCARNATION, RECORD.V)
if user[2] or payment[3] then return REPLY.NEWER end
local mine = (user[1] or '') .. INCARNATION.SEPARATOR
local same = payment[2] == mine .. ARGV[1]
  or ARGV[1] == INCARNATION.ANY and string.sub(payment[2] or '', 1, #mine) == mine
if not payment[1] or not same then return REPLY.NONE end
return string.upper(payment[1])
