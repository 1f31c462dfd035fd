#!lua flags=allow-oom
-- Takes one unit of an item off an open order's cart; the line goes with its last unit.
--
-- KEYS[1]  {p}:order:<id>  record: status, total
-- KEYS[2]  {p}:cart:<id>   hash: item -> units and the sum quoted for them
-- ARGV[1]  item
--
-- Returns DONE | UNKNOWN | PENDING | PAID | NO_LINE | NEWER (a record of a later release)
-- @include fields
local order = fields(KEYS[1], 'status', 'total', 'v')
if order[3] then return 'NEWER' end
if not order[1] then return 'UNKNOWN' end
if order[1] == 'paid' then return 'PAID' end
if order[1] ~= 'open' then return 'PENDING' end
local line = redis.call('HGET', KEYS[2], ARGV[1])
if not line then return 'NO_LINE' end

local units, sum = string.match(line, '^(%d+) (%d+)$')
units, sum = tonumber(units), tonumber(sum)
-- Of units quoted at several prices each costs the mean, rounded down; the last takes what is left.
local share = units == 1 and sum or math.floor(sum / units)
if units == 1 then
  redis.call('HDEL', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f %.0f', units - 1, sum - share))
end
set(KEYS[1], 'total', tonumber(order[2]) - share)
return 'DONE'
