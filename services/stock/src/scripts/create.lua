#!lua
-- Creates an item, without stock.
--
-- KEYS[1]  {tag}:item:<id>  record: price, stock (can be bought now), held (in undecided attempts), net (added minus
--                           taken out directly)
-- ARGV[1]  price
--
-- Returns DONE | EXISTS
local record = struct.pack('<BBddddd', RECORD.VERSION, ITEM.SIZE, 0, 0, 0, 0 / 0, tonumber(ARGV[1]))
return redis.call('SET', KEYS[1], record, 'NX') and REPLY.DONE or REPLY.EXISTS
