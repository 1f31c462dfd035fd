#!lua flags=allow-oom
-- Sets an item's stock by what was counted: of the units that are counted some are held by attempts.
--
-- KEYS[1]  {tag}:item:<id>  record: stock, held, net
-- ARGV[1]  units counted, from 0
-- ARGV[2]  the largest amount: net stays within it
--
-- Returns { DONE, delta } (by how much the stock changed) | UNKNOWN | INSUFFICIENT (more is held than was counted)
-- | OUT_OF_RANGE | NEWER (a record of a later release)
local record = redis.call('GET', KEYS[1])
if not record then return REPLY.UNKNOWN end
if string.byte(record) ~= RECORD.VERSION then return REPLY.NEWER end
local stock, held, net = struct.unpack('<ddd', record, ITEM.STOCK_AT)
local delta = tonumber(ARGV[1]) - stock - held
if stock + delta < 0 then return REPLY.INSUFFICIENT end
if math.abs(net + delta) > tonumber(ARGV[2]) then return REPLY.OUT_OF_RANGE end

redis.call('SETRANGE', KEYS[1], ITEM.STOCK_OFFSET, struct.pack('<ddd', stock + delta, held, net + delta))
return { REPLY.DONE, string.format('%.0f', delta) }
