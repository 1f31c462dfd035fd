#!lua
-- Adds to a user's credit.
--
-- KEYS[1]  {p}:user:<id>  record: credit, held, net
-- ARGV[1]  amount, from 0
-- ARGV[2]  the largest amount: credit + held and net stay within it
--
-- Returns DONE | UNKNOWN | OUT_OF_RANGE | NEWER (a record of a later release)
-- {fields}
local user = fields(KEYS[1], 'credit', 'held', 'net', 'v')
local credit, held, net = tonumber(user[1]), tonumber(user[2]), tonumber(user[3])
local amount, max = tonumber(ARGV[1]), tonumber(ARGV[2])
if user[4] then return 'NEWER' end
if not credit then return 'UNKNOWN' end
if amount > max - credit - held or amount > max - net then return 'OUT_OF_RANGE' end

set(KEYS[1], 'credit', credit + amount, 'net', net + amount)
return 'DONE'
