#!lua
-- Overwrites many items of one shard, while nothing is held on it.
--
-- KEYS[1]     {p}:held       hash: what is held on the shard
-- KEYS[2…]    {p}:item:<id>  records: price, stock, held, net; before (units sold in earlier lives, for the audit)
-- ARGV[1]     price
-- ARGV[2]     stock
--
-- Returns DONE | IN_USE (nothing written)
--
-- Each item gets a life, the moment in microseconds: what was done for a key before is not done for this item.
-- Reservations and tombstones stay: they are known by their tx, and no new attempt has an old one.
-- {fields}
if redis.call('EXISTS', KEYS[1]) == 1 then return 'IN_USE' end
local time = redis.call('TIME')
local life = string.format('%d%06d', time[1], time[2])
for item = 2, #KEYS do
  local key = KEYS[item]
  local old, before = fields(key, 'net', 'stock', 'held', 'before'), nil
  if old[1] then
    -- The orders that bought in an earlier life are still there: what they took stays sold.
    local sold = old[1] - old[2] - old[3] + (old[4] or 0)
    before = (old[4] or sold ~= 0) and sold
  end
  redis.call('DEL', key)
  set(key, 'price', ARGV[1], 'stock', ARGV[2], 'held', 0, 'net', ARGV[2], 'before', before, 'life', life)
end
return 'DONE'
