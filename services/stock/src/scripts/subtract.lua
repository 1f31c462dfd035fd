#!lua flags=allow-oom
-- Takes units out of an item's stock directly, outside any checkout.
--
-- KEYS[1]  {tag}:item:<id>  record: stock, net
-- ARGV[1]  units, from 0
--
-- Returns DONE | UNKNOWN | INSUFFICIENT | NEWER (a record of a later release)
local record = redis.call('GET', KEYS[1])
if not record then return REPLY.UNKNOWN end
if string.byte(record) ~= RECORD.VERSION then return REPLY.NEWER end
local stock, held, net = struct.unpack('<ddd', record, ITEM.STOCK_AT)
local units = tonumber(ARGV[1])
if stock < units then return REPLY.INSUFFICIENT end

redis.call('SETRANGE', KEYS[1], ITEM.STOCK_OFFSET, struct.pack('<ddd', stock - units, held, net - units))
return REPLY.DONE
