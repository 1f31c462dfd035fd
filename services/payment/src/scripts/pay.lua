#!lua
-- Takes an amount from a user's credit directly, outside any checkout; for an order at most once.
--
-- KEYS[1]  {p}:user:<id>               record: credit, net, life, before
-- KEYS[2]  {p}:payment:<user>:<order>  record: state, by, charged, refunded, life (absent for a payment without an order)
-- ARGV[1]  amount, from 0
-- ARGV[2]  the order's life: which of the orders that had this id one after the other; empty for a minted id; `*` if there
--          is no such order (any more): then a payment for whichever had the id counts
--
-- Returns DONE (also for a repeat) | UNKNOWN | INSUFFICIENT | PENDING (a checkout holds the order) | ALREADY_PAID
-- | NEWER (a record of a later release)
-- @include fields
local user = redis.call('GET', KEYS[1])
if not user then return 'UNKNOWN' end
if string.byte(user) ~= 1 then return 'NEWER' end
local credit, held, net, before = struct.unpack('<dddd', user, 3)
local amount = tonumber(ARGV[1])

if KEYS[2] then
  local mine = string.sub(user, 35) .. '/'
  local life = mine .. (ARGV[2] == '*' and '' or ARGV[2])
  local payment = fields(KEYS[2], 'state', 'by', 'charged', 'life', 'v')
  if payment[5] then return 'NEWER' end
  -- A payment of another life of the user or the order says nothing about this one.
  local same = payment[4] == life or ARGV[2] == '*' and string.sub(payment[4] or '', 1, #mine) == mine
  if payment[1] and same then
    if payment[1] == 'reserved' then return 'PENDING' end
    if payment[1] == 'charged' and payment[2] == 'pay' and payment[3] == ARGV[1] then return 'DONE' end
    return 'ALREADY_PAID'
  end
  if credit < amount then return 'INSUFFICIENT' end
  -- What a checkout charged this user for an order that was overwritten since stays charged: `before`, for the audit.
  if payment[1] == 'charged' and payment[2] == 'checkout' and string.sub(payment[4] or '', 1, #mine) == mine then
    before = (before == before and before or 0) + payment[3]
  end
  redis.call('DEL', KEYS[2])
  set(KEYS[2], 'state', 'charged', 'by', 'pay', 'charged', ARGV[1], 'refunded', 0, 'life', life)
elseif credit < amount then
  return 'INSUFFICIENT'
end
redis.call('SETRANGE', KEYS[1], 2, struct.pack('<dddd', credit - amount, held, net - amount, before))
return 'DONE'
