#!lua
-- Adds units to an item's stock.
--
-- KEYS[1]  {tag}:item:<id>  record: stock, held, net
-- ARGV[1]  units, from 0
-- ARGV[2]  the largest amount: stock + held and net stay within it
--
-- Returns DONE | UNKNOWN | OUT_OF_RANGE | NEWER (a record of a later release)
local record = redis.call('GET', KEYS[1])
if not record then return REPLY.UNKNOWN end
if string.byte(record) ~= RECORD.VERSION then return REPLY.NEWER end
local stock, held, net = struct.unpack('<ddd', record, ITEM.STOCK_AT)
local units, max = tonumber(ARGV[1]), tonumber(ARGV[2])
if units > max - stock - held or units > max - net then return REPLY.OUT_OF_RANGE end

redis.call('SETRANGE', KEYS[1], ITEM.STOCK_OFFSET, struct.pack('<ddd', stock + units, held, net + units))
return REPLY.DONE
