#!lua flags=allow-oom
-- Makes final what an attempt holds of a user's credit: it is charged.
--
-- KEYS[1]  {p}:tx:<tx>  string: version, state, and for HELD the order, the user's and the payment's key, the
--                       amount, and the life of user and order
-- KEYS[2]  {p}:held     sorted set: tx -> deadline
-- ARGV[1]  tx
-- ARGV[2]  deadline, Unix ms
--
-- Returns CONFIRMED | GONE (unknown, settled long ago) | LOST (unknown: an alarm) | CONFLICT (cancelled: an alarm) | NEWER
--
-- The other keys come from the record: they were passed as keys when it was written, and are in this partition.
local record = redis.call('GET', KEYS[1])
local deadline = tonumber(ARGV[2])
if not record then
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000 >= deadline + 60000 and 'GONE' or 'LOST'
end
local version, state, user, payment, amount, life =
  string.match(record, '^(%d+) ([%u_]+) ?%S* ?(%S*) ?(%S*) ?(%d*) ?(%S*)$')
if version ~= '1' then return 'NEWER' end
if state == 'CONFIRMED' then return 'CONFIRMED' end
if state ~= 'HELD' then return 'CONFLICT' end
local paid = redis.call('HMGET', payment, 'state', 'life', 'v')
if paid[3] or redis.call('HEXISTS', user, 'v') == 1 then return 'NEWER' end

if amount ~= '0' then redis.call('HINCRBY', user, 'held', '-' .. amount) end
-- A payment of another life of the user or the order is not this attempt's.
if paid[1] == 'reserved' and paid[2] == life then redis.call('HSET', payment, 'state', 'charged') end
redis.call('SET', KEYS[1], '1 CONFIRMED', 'PXAT', deadline + 70000)
redis.call('ZREM', KEYS[2], ARGV[1])
return 'CONFIRMED'
