#!lua flags=allow-oom
-- Gives back what an attempt holds on this shard. One that holds nothing is told so when it comes later.
--
-- KEYS[1]  {p}:tx:<tx>  string: version, state, and for HELD the order and each line's key and units
-- KEYS[2]  {p}:held     sorted set: tx -> deadline
-- ARGV[1]  tx
-- ARGV[2]  deadline, Unix ms
--
-- Returns CANCELLED (nothing is held, and nothing will be) | CONFLICT (confirmed: an alarm) | NEWER
--
-- The items' keys come from the record: they were passed as keys when it was written, and are on this shard.
local record = redis.call('GET', KEYS[1])
local deadline = tonumber(ARGV[2])
local version, state, lines = string.match(record or '1 NONE', '^(%d+) (%u+) ?%S* ?(.*)$')
if version ~= '1' then return 'NEWER' end
if state == 'CONFIRMED' then return 'CONFLICT' end

if state == 'HELD' then
  for item in string.gmatch(lines, '(%S+) %d+') do
    if redis.call('HEXISTS', item, 'v') == 1 then return 'NEWER' end
  end
  for item, units in string.gmatch(lines, '(%S+) (%d+)') do
    redis.call('HINCRBY', item, 'stock', units)
    redis.call('HINCRBY', item, 'held', '-' .. units)
  end
  redis.call('ZREM', KEYS[2], ARGV[1])
end
-- A refusal's tombstone keeps its answer: repeats of that reserve get the first one.
if state == 'HELD' or state == 'NONE' then
  redis.call('SET', KEYS[1], '1 CANCELLED', 'PXAT', deadline + 70000)
end
return 'CANCELLED'
