#!lua
-- Overwrites many items of one shard, while nothing is held on it.
--
-- KEYS[1…16]  {p}:held       sorted sets: what each partition of the shard holds
-- KEYS[17…]   {p}:item:<id>  hashes: price, stock, held, net; before (units sold in earlier lives, for the audit)
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
  local key = KEYS[item]
  local old = redis.call('HMGET', key, 'net', 'stock', 'held', 'before')
  redis.call('DEL', key)
  redis.call('HSET', key, 'price', ARGV[1], 'stock', ARGV[2], 'held', 0, 'net', ARGV[2], 'life', life)
  if old[1] then
    -- The orders that bought in an earlier life are still there: what they took stays sold.
    local sold = tonumber(old[1]) - tonumber(old[2]) - tonumber(old[3])
    if old[4] then redis.call('HSET', key, 'before', old[4]) end
    if sold ~= 0 then redis.call('HINCRBY', key, 'before', string.format('%.0f', sold)) end
  end
end
return 'DONE'
