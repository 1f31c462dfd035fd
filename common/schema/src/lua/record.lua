-- @include parse
-- All fields of a record by name: see parse.lua.
local function record(key) return parse(key, redis.call('GET', key)) end
