#!lua flags=allow-oom
-- Takes units out of an item's stock directly, outside any checkout.
--
-- KEYS[1]  {p}:item:<id>  record: stock, net
-- ARGV[1]  units, from 0
--
-- Returns DONE | UNKNOWN | INSUFFICIENT | NEWER (a record of a later release)
-- {fields}
local item = fields(KEYS[1], 'stock', 'net', 'v')
local stock, net, units = tonumber(item[1]), tonumber(item[2]), tonumber(ARGV[1])
if item[3] then return 'NEWER' end
if not stock then return 'UNKNOWN' end
if stock < units then return 'INSUFFICIENT' end

set(KEYS[1], 'stock', stock - units, 'net', net - units)
return 'DONE'
