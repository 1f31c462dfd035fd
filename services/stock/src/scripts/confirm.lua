#!lua flags=allow-oom
-- Makes final what an attempt holds on this shard: the units are sold.
--
-- KEYS[1]  {p}:tx:<tx>  string: version, state, and for HELD the order and each line's key and units
-- KEYS[2]  {p}:held     sorted set: tx -> deadline
-- ARGV[1]  tx
-- ARGV[2]  deadline, Unix ms
--
-- Returns CONFIRMED | GONE (unknown, settled long ago) | LOST (unknown: an alarm) | CONFLICT (cancelled: an alarm) | NEWER
--
-- The items' keys come from the record: they were passed as keys when it was written, and are on this shard.
local record = redis.call('GET', KEYS[1])
local deadline = tonumber(ARGV[2])
if not record then
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000 >= deadline + 60000 and 'GONE' or 'LOST'
end
local version, state, lines = string.match(record, '^(%d+) (%u+) ?%S* ?(.*)$')
if version ~= '1' then return 'NEWER' end
if state == 'CONFIRMED' then return 'CONFIRMED' end
if state ~= 'HELD' then return 'CONFLICT' end

for item in string.gmatch(lines, '(%S+) %d+') do
  if redis.call('HEXISTS', item, 'v') == 1 then return 'NEWER' end
end
for item, units in string.gmatch(lines, '(%S+) (%d+)') do
  redis.call('HINCRBY', item, 'held', '-' .. units)
end
redis.call('SET', KEYS[1], '1 CONFIRMED', 'PXAT', deadline + 70000)
redis.call('ZREM', KEYS[2], ARGV[1])
return 'CONFIRMED'
