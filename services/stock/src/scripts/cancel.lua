#!lua flags=allow-oom
-- Gives back what attempts hold on this shard. One that holds nothing is told so when its reserve comes later. One
-- attempt after the other, as if each had a call of its own.
--
-- KEYS  for n attempts: their n records, then the n sets of their partitions
--   {p}:tx:<tx>  string: version, state, and for HELD the order and each line's key and units
--   {p}:held     sorted set: tx -> deadline
-- ARGV  for each attempt: tx, deadline (Unix ms)
--
-- Returns one answer for each attempt: CANCELLED (nothing is held, and nothing will be) | CONFLICT (confirmed: an alarm)
-- | NEWER
--
-- The items' keys come from the record: they were passed as keys when it was written, and are on this shard.
-- Everything is read before anything is written.
-- {together}
local count = #KEYS / 2
local records = call('MGET', unpack(KEYS, 1, count))
local cancelled, back = {}, {}

local function cancel(place)
  local key, deadline = KEYS[place], ARGV[place * 2]
  if cancelled[key] then return 'CANCELLED' end
  local version, state, lines = string.match(records[place] or '1 NONE', '^(%d+) (%u+) ?%S* ?(.*)$')
  if version ~= '1' then return 'NEWER' end
  if state == 'CONFIRMED' then return 'CONFLICT' end
  if state == 'HELD' then
    for item in string.gmatch(lines, '(%S+) %d+') do
      if is_newer(item) then return 'NEWER' end
    end
    for item, units in string.gmatch(lines, '(%S+) (%d+)') do back[item] = (back[item] or 0) + units end
    local set = listed(KEYS[count + place])
    set[#set + 1] = ARGV[place * 2 - 1]
  end
  -- A refusal's tombstone keeps its answer: repeats of that reserve get the first one.
  if state == 'HELD' or state == 'NONE' then cancelled[key] = ending(deadline) end
  return 'CANCELLED'
end

local answers = {}
for place = 1, count do answers[place] = cancel(place) end

for item, units in pairs(back) do
  call('HINCRBY', item, 'stock', units)
  call('HINCRBY', item, 'held', -units)
end
for key, ends in pairs(cancelled) do call('SET', key, '1 CANCELLED', 'PXAT', ends) end
for set, gone in pairs(members) do call('ZREM', set, unpack(gone)) end
return answers
