#!lua
-- Adds units to an item's stock.
--
-- KEYS[1]  {p}:item:<id>  record: stock, held, net
-- ARGV[1]  units, from 0
-- ARGV[2]  the largest amount: stock + held and net stay within it
--
-- Returns DONE | UNKNOWN | OUT_OF_RANGE | NEWER (a record of a later release)
-- {fields}
local item = fields(KEYS[1], 'stock', 'held', 'net', 'v')
local stock, held, net = tonumber(item[1]), tonumber(item[2]), tonumber(item[3])
local units, max = tonumber(ARGV[1]), tonumber(ARGV[2])
if item[4] then return 'NEWER' end
if not stock then return 'UNKNOWN' end
if units > max - stock - held or units > max - net then return 'OUT_OF_RANGE' end

set(KEYS[1], 'stock', stock + units, 'net', net + units)
return 'DONE'
