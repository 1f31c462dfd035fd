#!lua flags=no-writes
-- Reads texts that do not last.
--
-- KEYS  the texts
--
-- Returns { bytes, ms } for each: how long it lasts, as a word: -1 for ever, -2 it is gone; nil for the bytes of one that
-- is not there, none for a key of another type
-- @include bytes
local answer = {}
for place, key in ipairs(KEYS) do answer[place] = { bytes(key), tostring(redis.call('PTTL', key)) } end
return answer
