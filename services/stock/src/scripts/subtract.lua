#!lua flags=allow-oom
-- Takes units out of an item's stock directly, outside any checkout.
--
-- KEYS[1]  {p}:item:<id>  record: stock, net
-- ARGV[1]  units, from 0
--
-- Returns DONE | UNKNOWN | INSUFFICIENT | NEWER (a record of a later release)
local record = redis.call('GET', KEYS[1])
if not record then return 'UNKNOWN' end
if string.byte(record) ~= 1 then return 'NEWER' end
local stock, held, net = struct.unpack('<ddd', record, 3)
local units = tonumber(ARGV[1])
if stock < units then return 'INSUFFICIENT' end

redis.call('SETRANGE', KEYS[1], 2, struct.pack('<ddd', stock - units, held, net - units))
return 'DONE'
