#!lua
-- Overwrites many items of one shard, while nothing is held on it.
--
-- KEYS[1]     {tag}:held       hash: what is held on the shard
-- KEYS[2…]    {tag}:item:<id>  records: price, stock, held, net; before (units sold in earlier incarnations, for the
--                              audit)
-- ARGV[1]     price
-- ARGV[2]     stock
--
-- Returns DONE | IN_USE (nothing written)
--
-- Each item gets a incarnation, the moment in microseconds: what was done for a key before is not done for this item.
-- Reservations and tombstones stay: they are known by their tx, and no new attempt has an old one.
if redis.call(REPLY.EXISTS, KEYS[1]) == 1 then return REPLY.IN_USE end
local time = redis.call('TIME')
local incarnation = string.format('%d%06d', time[1], time[2])
local price, stock, items = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for item = 2, #KEYS do
  local old, before = redis.call('GET', KEYS[item]), 0 / 0
  if old and string.byte(old) == RECORD.VERSION then
    local here, held, net, earlier = struct.unpack('<dddd', old, ITEM.STOCK_AT)
    local was = earlier == earlier
    -- The orders that bought in an earlier incarnation are still there: what they took stays sold.
    local sold = net - here - held + (was and earlier or 0)
    if was or sold ~= 0 then before = sold end
  end
  items[#items + 1] = KEYS[item]
  items[#items + 1] = struct.pack('<BBddddd', RECORD.VERSION, ITEM.SIZE, stock, 0, stock, before, price) .. incarnation
end
if #items > 0 then redis.call('MSET', unpack(items)) end
return REPLY.DONE
