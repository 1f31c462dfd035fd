#!lua
-- Holds all lines that one attempt wants of this shard, or none of them.
--
-- KEYS[1]   {p}:tx:<tx>    string: version, state, and for HELD the order and each line's key and units
-- KEYS[2]   {p}:held       sorted set: tx -> deadline, for all that this partition holds
-- KEYS[3…]  {p}:item:<id>  hash, one a line, each item once: stock, held
-- ARGV[1]   tx
-- ARGV[2]   deadline, Unix ms
-- ARGV[3]   order
-- ARGV[4…]  units, one a line, at least 1
--
-- Returns HELD | BUSY <line> | EXPIRED | UNKNOWN <line> | INSUFFICIENT <line> | CANCELLED | CONFIRMED | NEWER;
-- lines count from 1
--
-- The record is read before clock and stock: a repeat must get the first answer even when the deadline has
-- passed, or the last units have been sold, since.
local tx, deadline = KEYS[1], tonumber(ARGV[2])

local record = redis.call('GET', tx)
if record then
  local version, answer = string.match(record, '^(%d+) (%u+ ?%d*)')
  if version ~= '1' then return 'NEWER' end
  return string.match(answer, '^HELD') or answer
end

local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > deadline then return 'EXPIRED' end

-- A refusal leaves a tombstone, and so is final.
local function refuse(answer)
  redis.call('SET', tx, '1 ' .. answer, 'PXAT', deadline + 70000)
  return answer
end

local items, short, busy = {}, nil, nil
for key = 3, #KEYS do
  local item, units = redis.call('HMGET', KEYS[key], 'stock', 'held', 'v'), tonumber(ARGV[key + 1])
  local stock, held = tonumber(item[1]), tonumber(item[2])
  if item[3] then return 'NEWER' end
  if not stock then return refuse('UNKNOWN ' .. key - 2) end
  if stock + held < units then short = short or key - 2 end
  if stock < units then busy = busy or key - 2 end
  items[key] = { stock, held, units }
end
if short then return refuse('INSUFFICIENT ' .. short) end
if busy then return 'BUSY ' .. busy end

local lines = {}
for key = 3, #KEYS do
  local item = items[key]
  redis.call('HSET', KEYS[key], 'stock', item[1] - item[3], 'held', item[2] + item[3])
  lines[#lines + 1] = KEYS[key] .. ' ' .. ARGV[key + 1]
end
-- Never with a time to live: what is held stays held until it is decided.
redis.call('SET', tx, '1 HELD ' .. ARGV[3] .. ' ' .. table.concat(lines, ' '))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
return 'HELD'
