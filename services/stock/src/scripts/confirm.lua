#!lua flags=allow-oom
-- Makes final what attempts hold on this shard: the units are sold. One attempt after the other, as if each had a call
-- of its own.
--
-- KEYS  for n attempts: their n records, then the n sets of their partitions
--   {p}:tx:<tx>  string: version, state, and for HELD the order and each line's key and units
--   {p}:held     sorted set: tx -> deadline
-- ARGV  for each attempt: tx, deadline (Unix ms)
--
-- Returns one answer for each attempt: CONFIRMED | GONE (unknown, settled long ago) | LOST (unknown: an alarm)
-- | CONFLICT (cancelled: an alarm) | NEWER
--
-- The items' keys come from the record: they were passed as keys when it was written, and are on this shard.
-- Everything is read before anything is written.
-- {together}
local count = #KEYS / 2
local records = call('MGET', unpack(KEYS, 1, count))
local confirmed, sold = {}, {}

local function confirm(place)
  local key, deadline = KEYS[place], ARGV[place * 2]
  local record = confirmed[key] and '1 CONFIRMED' or records[place]
  if not record then
    local time = call('TIME')
    return time[1] * 1000 + time[2] / 1000 >= deadline + 60000 and 'GONE' or 'LOST'
  end
  local version, state, lines = string.match(record, '^(%d+) (%u+) ?%S* ?(.*)$')
  if version ~= '1' then return 'NEWER' end
  if state == 'CONFIRMED' then return 'CONFIRMED' end
  if state ~= 'HELD' then return 'CONFLICT' end
  for item in string.gmatch(lines, '(%S+) %d+') do
    if is_newer(item) then return 'NEWER' end
  end
  for item, units in string.gmatch(lines, '(%S+) (%d+)') do sold[item] = (sold[item] or 0) + units end
  confirmed[key] = ending(deadline)
  local set = listed(KEYS[count + place])
  set[#set + 1] = ARGV[place * 2 - 1]
  return 'CONFIRMED'
end

local answers = {}
for place = 1, count do answers[place] = confirm(place) end

for item, units in pairs(sold) do call('HINCRBY', item, 'held', -units) end
for key, ends in pairs(confirmed) do call('SET', key, '1 CONFIRMED', 'PXAT', ends) end
for set, gone in pairs(members) do call('ZREM', set, unpack(gone)) end
return answers
