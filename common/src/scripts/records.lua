#!lua flags=no-writes
-- Reads the same fields of many records.
--
-- KEYS  the records
-- ARGV  the fields
--
-- Returns for each record the values of the fields, nil for one that is not there
-- {fields}
local answer = {}
for place, key in ipairs(KEYS) do answer[place] = fields(key, unpack(ARGV)) end
return answer
