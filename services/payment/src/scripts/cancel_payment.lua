#!lua flags=allow-oom
-- Gives back what a direct payment took for an order, once.
--
-- KEYS[1]  {p}:user:<id>               record: credit, held, net, life
-- KEYS[2]  {p}:payment:<user>:<order>  record: state, by, charged, refunded, life
-- ARGV[1]  the order's life (see pay.lua)
-- ARGV[2]  the largest amount: credit + held and net stay within it
--
-- Returns DONE (also for a repeat) | UNKNOWN_PAYMENT | PENDING (a checkout holds the order) | CHECKOUT (a checkout
-- paid it: not cancelled here) | OUT_OF_RANGE | NEWER (a record of a later release)
-- @include fields
local user = fields(KEYS[1], 'credit', 'held', 'net', 'life', 'v')
local payment = fields(KEYS[2], 'state', 'by', 'charged', 'life', 'v')
if user[5] or payment[5] then return 'NEWER' end
local mine = (user[4] or '') .. '/'
local same = payment[4] == mine .. ARGV[1] or ARGV[1] == '*' and string.sub(payment[4] or '', 1, #mine) == mine
if not user[1] or not payment[1] or not same then return 'UNKNOWN_PAYMENT' end
if payment[1] == 'cancelled' then return 'DONE' end
if payment[1] == 'reserved' then return 'PENDING' end
if payment[2] == 'checkout' then return 'CHECKOUT' end

local credit, held, net, amount = tonumber(user[1]), tonumber(user[2]), tonumber(user[3]), tonumber(payment[3])
local max = tonumber(ARGV[2])
if amount > max - credit - held or amount > max - net then return 'OUT_OF_RANGE' end
set(KEYS[2], 'state', 'cancelled', 'refunded', payment[3])
set(KEYS[1], 'credit', credit + amount, 'net', net + amount)
return 'DONE'
