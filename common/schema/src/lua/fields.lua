-- @include record
-- @include pick
-- Some fields of a record, in the order of their names, as texts; false for what is not there: what HMGET is to a hash.
local function fields(key, ...) return pick(record(key) or {}, ...) end
