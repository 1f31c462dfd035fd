#!lua flags=no-writes
-- Reads many records.
--
-- KEYS  the records
--
-- Returns the bytes of each, nil for one that is not there, none for a key of another type
-- @include bytes
local answer = {}
for place, key in ipairs(KEYS) do answer[place] = bytes(key) end
return answer
