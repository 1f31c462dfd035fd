#!lua flags=allow-oom
-- Removes an open order and its cart.
--
-- KEYS[1]  {p}:order:<id>  record: status
-- KEYS[2]  {p}:cart:<id>   hash
--
-- Returns DONE | UNKNOWN | PENDING | PAID | NEWER (a record of a later release)
-- @include fields
local order = fields(KEYS[1], 'status', 'v')
if order[2] then return 'NEWER' end
if not order[1] then return 'UNKNOWN' end
if order[1] == 'paid' then return 'PAID' end
if order[1] ~= 'open' then return 'PENDING' end

redis.call('DEL', KEYS[1], KEYS[2])
return 'DONE'
