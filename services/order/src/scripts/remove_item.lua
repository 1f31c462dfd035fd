#!lua flags=allow-oom
-- Takes one unit of an item off an open order's cart; the line goes with its last unit.
--
-- KEYS[1]  {tag}:order:<id>  record: status, total
-- KEYS[2]  {tag}:cart:<id>   hash: item -> units and the sum quoted for them
-- ARGV[1]  item
--
-- Returns DONE | UNKNOWN | PENDING | PAID | NO_LINE | NEWER (a record of a later release)
-- @include fields
-- @include set
local order = fields(KEYS[1], ORDER.STATUS, ORDER.TOTAL, RECORD.V)
if order[3] then return REPLY.NEWER end
if not order[1] then return REPLY.UNKNOWN end
if order[1] == STATUS.PAID then return REPLY.PAID end
if order[1] ~= STATUS.OPEN then return REPLY.PENDING end
local line = redis.call('HGET', KEYS[2], ARGV[1])
if not line then return REPLY.NO_LINE end

local units, sum = string.match(line, CART.LINE_PATTERN)
units, sum = tonumber(units), tonumber(sum)
-- Of units quoted at several prices each costs the mean, rounded down; the last takes what is left.
local share = units == 1 and sum or math.floor(sum / units)
if units == 1 then
  redis.call('HDEL', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[2], ARGV[1], string.format(CART.LINE_FORMAT, units - 1, sum - share))
end
set(KEYS[1], ORDER.TOTAL, tonumber(order[2]) - share)
return REPLY.DONE
