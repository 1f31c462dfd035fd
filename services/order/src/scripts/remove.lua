#!lua flags=allow-oom
-- Removes an open order and its cart.
--
-- KEYS[1]  {tag}:order:<id>  record: status
-- KEYS[2]  {tag}:cart:<id>   hash
--
-- Returns DONE | UNKNOWN | PENDING | PAID | NEWER (a record of a later release)
-- @include fields
local order = fields(KEYS[1], ORDER.STATUS, RECORD.V)
if order[2] then return REPLY.NEWER end
if not order[1] then return REPLY.UNKNOWN end
if order[1] == STATUS.PAID then return REPLY.PAID end
if order[1] ~= STATUS.OPEN then return REPLY.PENDING end

redis.call('DEL', KEYS[1], KEYS[2])
return REPLY.DONE
