#!lua flags=no-writes
-- Reads the same fields of many hashes.
--
-- KEYS  the hashes
-- ARGV  the fields
--
-- Returns for each hash the values of the fields, nil for one that is not there
local answer = {}
for place, key in ipairs(KEYS) do answer[place] = redis.call('HMGET', key, unpack(ARGV)) end
return answer
