#!lua
-- Overwrites many users of one shard, while nothing is held on it.
--
-- KEYS[1…16]  {p}:held       sorted sets: what each partition of the shard holds
-- KEYS[17…]   {p}:user:<id>  hashes
-- ARGV[1]     credit
-- ARGV[2]     life: tells these users from those that had the ids before, whose payments no longer count
--
-- Returns DONE | IN_USE (nothing written)
for set = 1, 16 do
  if redis.call('EXISTS', KEYS[set]) == 1 then return 'IN_USE' end
end
for user = 17, #KEYS do
  redis.call('DEL', KEYS[user])
  redis.call('HSET', KEYS[user], 'credit', ARGV[1], 'held', 0, 'net', ARGV[1], 'life', ARGV[2])
end
return 'DONE'
