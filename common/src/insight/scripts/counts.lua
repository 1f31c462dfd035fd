#!lua flags=no-writes
-- Counts what the sorted sets of a shard list.
--
-- KEYS  sorted sets: {p}:inflight or {p}:held
--
-- Returns how many entries they have in all
local count = 0
for _, set in ipairs(KEYS) do count = count + redis.call('ZCARD', set) end
return count
