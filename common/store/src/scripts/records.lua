#!lua flags=no-writes
-- Reads the same fields of many records.
--
-- KEYS  the records
-- ARGV  the fields
--
-- Returns for each record the values of the fields, nil for one that is not there, `?` for each if it cannot be read
-- @include legible
local answer = {}
for place, key in ipairs(KEYS) do answer[place] = legible(key, unpack(ARGV)) end
return answer
