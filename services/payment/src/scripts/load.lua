#!lua
-- Overwrites many users of one shard, while nothing is held on it.
--
-- KEYS[1]     {p}:held       hash: what is held on the shard
-- KEYS[2…]    {p}:user:<id>  records
-- ARGV[1]     credit
-- ARGV[2]     life: tells these users from those that had the ids before, whose payments no longer count
--
-- Returns DONE | IN_USE (nothing written)
-- {fields}
if redis.call('EXISTS', KEYS[1]) == 1 then return 'IN_USE' end
for user = 2, #KEYS do
  redis.call('DEL', KEYS[user])
  set(KEYS[user], 'credit', ARGV[1], 'held', 0, 'net', ARGV[1], 'life', ARGV[2])
end
return 'DONE'
