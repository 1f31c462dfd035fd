#!lua flags=no-writes
-- Counts what a participant's shard holds.
--
-- KEYS[1…16]  {p}:held  sorted sets: tx -> deadline
--
-- Returns the number, as a word
local count = 0
for set = 1, 16 do count = count + redis.call('ZCARD', KEYS[set]) end
return tostring(count)
