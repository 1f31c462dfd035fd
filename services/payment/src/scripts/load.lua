#!lua
-- Overwrites many users of one shard, while nothing is held on it.
--
-- KEYS[1]     {tag}:held       hash: what is held on the shard
-- KEYS[2…]    {tag}:user:<id>  records
-- ARGV[1]     credit
-- ARGV[2]     incarnation: tells these users from those that had the ids before, whose payments no longer count
--
-- Returns DONE | IN_USE (nothing written)
if redis.call(REPLY.EXISTS, KEYS[1]) == 1 then return REPLY.IN_USE end
local credit = tonumber(ARGV[1])
local record, users = struct.pack('<BBdddd', RECORD.VERSION, USER.SIZE, credit, 0, credit, 0 / 0) .. ARGV[2], {}
for user = 2, #KEYS do
  users[#users + 1] = KEYS[user]
  users[#users + 1] = record
end
if #users > 0 then redis.call('MSET', unpack(users)) end
return REPLY.DONE
