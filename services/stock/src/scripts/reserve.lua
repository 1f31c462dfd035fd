#!lua
-- Holds, for each of several attempts, all lines that it wants of this shard, or none of them: one attempt after the
-- other, as if each had a call of its own.
--
-- KEYS  for n attempts: their n records, then the n sets of their partitions, then the items of all lines
--   {p}:tx:<tx>    string: version, state, and for HELD the order and each line's key and units
--   {p}:held       sorted set: tx -> deadline, for all that this partition holds
--   {p}:item:<id>  hash: stock, held; in the lines of one attempt each item once
-- ARGV  n; then for each attempt: tx, deadline (Unix ms), its record if it is held, number of lines; then the units of
--       all lines, from 1
--
-- Returns one answer for each attempt: HELD | BUSY <line> | EXPIRED | UNKNOWN <line> | INSUFFICIENT <line> | CANCELLED
-- | CONFIRMED | NEWER; lines count from 1 within their attempt
--
-- The record is read before clock and stock: a repeat must get the first answer even when the deadline has
-- passed, or the last units have been sold, since. Everything is read before anything is written.
-- {together}
local count = tonumber(ARGV[1])
local records = call('MGET', unpack(KEYS, 1, count))
local time = call('TIME')
local now = time[1] * 1000 + time[2] / 1000

-- What the attempts before leave behind: records by key, units by item, and what is to be written at the end.
local left, stock, held, newer = {}, {}, {}, {}
local changed, kept, tombstones = {}, {}, {}

local function look(item)
  local found = call('HMGET', item, 'stock', 'held', 'v')
  stock[item], held[item], newer[item] = tonumber(found[1]) or false, tonumber(found[2]), found[3]
end

local function told(record)
  local version, answer = string.match(record, '^(%d+) (%u+ ?%d*)')
  if version ~= '1' then return 'NEWER' end
  return string.match(answer, '^HELD') or answer
end

-- Whether the lines can be had: nothing, or why not, and whether that is final.
local function against(items, units, lines)
  local short, busy
  for line = 1, lines do
    local item, wanted = KEYS[items + line], tonumber(ARGV[units + line])
    if stock[item] == nil then look(item) end
    if newer[item] then return 'NEWER' end
    if not stock[item] then return 'UNKNOWN ' .. line, true end
    if stock[item] < wanted then
      if stock[item] + held[item] < wanted then short = short or 'INSUFFICIENT ' .. line end
      busy = busy or 'BUSY ' .. line
    end
  end
  return short or busy, short
end

local function reserve(place, items, units, lines)
  local key, deadline = KEYS[place], ARGV[place * 4 - 1]
  local record = left[key] or records[place]
  if record then return told(record) end
  if now > tonumber(deadline) then return 'EXPIRED' end
  local refusal, final = against(items, units, lines)
  if refusal then
    -- A tombstone makes it final.
    if final then left[key], tombstones[key] = '1 ' .. refusal, ending(deadline) end
    return refusal
  end
  for line = 1, lines do
    local item, wanted = KEYS[items + line], ARGV[units + line]
    stock[item], held[item], changed[item] = stock[item] - wanted, held[item] + wanted, true
  end
  left[key] = ARGV[place * 4]
  kept[#kept + 1] = key
  kept[#kept + 1] = left[key]
  local set = listed(KEYS[count + place])
  set[#set + 1] = deadline
  set[#set + 1] = ARGV[place * 4 - 2]
  return 'HELD'
end

local answers, items, units = {}, 2 * count, 4 * count + 1
for place = 1, count do
  local lines = tonumber(ARGV[place * 4 + 1])
  answers[place] = reserve(place, items, units, lines)
  items, units = items + lines, units + lines
end

for item in pairs(changed) do call('HSET', item, 'stock', stock[item], 'held', held[item]) end
-- Never with a time to live: what is held stays held until it is decided.
if #kept > 0 then call('MSET', unpack(kept)) end
for set, added in pairs(members) do call('ZADD', set, unpack(added)) end
for key, ends in pairs(tombstones) do call('SET', key, left[key], 'PXAT', ends) end
return answers
