#!lua
-- Overwrites many items of one shard, while nothing is held on it.
--
-- KEYS[1…16]  {p}:held       sorted sets: what each partition of the shard holds
-- KEYS[17…]   {p}:item:<id>  hashes
-- ARGV[1]     price
-- ARGV[2]     stock
--
-- Returns DONE | IN_USE (nothing written)
--
-- Each item gets a life, the moment in microseconds: what was done for a key before is not done for this item.
-- Reservations and tombstones stay: they are known by their tx, and no new attempt has an old one.
for set = 1, 16 do
  if redis.call('EXISTS', KEYS[set]) == 1 then return 'IN_USE' end
end
local time = redis.call('TIME')
local life = string.format('%d%06d', time[1], time[2])
for item = 17, #KEYS do
  redis.call('DEL', KEYS[item])
  redis.call('HSET', KEYS[item], 'price', ARGV[1], 'stock', ARGV[2], 'held', 0, 'net', ARGV[2], 'life', life)
end
return 'DONE'
