#!lua flags=allow-oom
-- Gives back what an attempt holds of a user's credit. One that holds nothing is told so when it comes later.
--
-- KEYS[1]  {p}:tx:<tx>  string: version, state, and for HELD the order, the user's and the payment's key, the
--                       amount, and the life of user and order
-- KEYS[2]  {p}:held     sorted set: tx -> deadline
-- ARGV[1]  tx
-- ARGV[2]  deadline, Unix ms
--
-- Returns CANCELLED (nothing is held, and nothing will be) | CONFLICT (confirmed: an alarm) | NEWER
--
-- The other keys come from the record: they were passed as keys when it was written, and are in this partition.
local record = redis.call('GET', KEYS[1])
local deadline = tonumber(ARGV[2])
local version, state, user, payment, amount, life =
  string.match(record or '1 NONE', '^(%d+) ([%u_]+) ?%S* ?(%S*) ?(%S*) ?(%d*) ?(%S*)$')
if version ~= '1' then return 'NEWER' end
if state == 'CONFIRMED' then return 'CONFLICT' end

if state == 'HELD' then
  local paid = redis.call('HMGET', payment, 'state', 'life', 'was', 'v')
  if paid[4] or redis.call('HEXISTS', user, 'v') == 1 then return 'NEWER' end
  if amount ~= '0' then
    redis.call('HINCRBY', user, 'credit', amount)
    redis.call('HINCRBY', user, 'held', '-' .. amount)
  end
  -- A payment of another life of the user or the order is not this attempt's.
  if paid[1] == 'reserved' and paid[2] == life then
    if paid[3] then
      redis.call('HSET', payment, 'state', 'cancelled', 'by', 'pay', 'charged', paid[3], 'refunded', paid[3])
      redis.call('HDEL', payment, 'was')
    else
      redis.call('DEL', payment)
    end
  end
  redis.call('ZREM', KEYS[2], ARGV[1])
end
-- A refusal's tombstone keeps its answer: repeats of that reserve get the first one.
if state == 'HELD' or state == 'NONE' then
  redis.call('SET', KEYS[1], '1 CANCELLED', 'PXAT', deadline + 70000)
end
return 'CANCELLED'
