#!lua
-- Holds, for each of several attempts, all lines that it wants of this shard, or none of them: one attempt after the
-- other, as if each had a call of its own.
--
-- KEYS[1]   {tag}:held            hash: tx -> what is held for it (see reservation_record.rs of common/schema)
-- KEYS[2]   {tag}:ended:<second>  hash: tx -> the answer that it has got for good; of attempts with a deadline in this
--                                 second
-- KEYS[3…]  {tag}:item:<id>       records: stock, held; each item once
-- ARGV[1]   n, the number of attempts
-- ARGV[2]   when tombstones of this second end (Unix ms)
-- ARGV[3]   doubles, for each attempt: deadline (Unix ms), number of lines; for each of its lines: the item's place
--           among the items, and units, from 1
-- ARGV[4…]  n times tx, then n times what is to be kept in `held`
--
-- Returns HELD | BUSY <line> | EXPIRED | UNKNOWN <line> | INSUFFICIENT <line> | CANCELLED | CONFIRMED | NEWER for each
-- attempt, or one for all of them; lines count from 1 within their attempt
--
-- What was answered before is looked for before clock and stock: a repeat must get the first answer even when the
-- deadline has passed, or the last units have been sold, since. Everything is read before anything is written.
-- @include numbers
-- @include told
-- @include write
-- @include known
-- @include now_ms
local count = tonumber(ARGV[1])
local held = call('HMGET', KEYS[1], unpack(ARGV, 4, 3 + count))
local ended = call('HMGET', KEYS[2], unpack(ARGV, 4, 3 + count))
local wanted = numbers(ARGV[3])
local now = now_ms()

-- Of items that are not there, or of a later release, there is less than anybody can want.
local UNKNOWN, NEWER = -1, -2
local records = #KEYS > 2 and call('MGET', unpack(KEYS, 3)) or {}
local stock, holds, changed = {}, {}, {}
for item = 1, #KEYS - 2 do
  local record = records[item]
  if not record then
    stock[item] = UNKNOWN
  elseif byte(record) ~= RECORD.VERSION then
    stock[item] = NEWER
  else
    stock[item], holds[item] = read('<dd', record, ITEM.STOCK_AT)
  end
end

-- Why the lines cannot be had, and whether that is final.
local function refusal(first, last)
  local short, busy
  for at = first, last, 2 do
    local item, units, line = wanted[at], wanted[at + 1], (at - first) / 2 + 1
    if stock[item] == NEWER then return REPLY.NEWER end
    if stock[item] == UNKNOWN then return REPLY.UNKNOWN_WITH .. line, true end
    if stock[item] < units then
      if stock[item] + holds[item] < units then short = short or REPLY.INSUFFICIENT_WITH .. line end
      busy = busy or REPLY.BUSY_WITH .. line
    end
  end
  return short or busy, short
end

local kept, tombstones, given = {}, {}, {}
local function reserve(place, deadline, first, last)
  local tx = ARGV[3 + place]
  if held[place] then return byte(held[place]) == RECORD.VERSION and REPLY.HELD or REPLY.NEWER end
  if ended[place] or given[tx] then return given[tx] or known(ended[place]) end
  if now > deadline then return REPLY.EXPIRED end
  for at = first, last, 2 do
    if stock[wanted[at]] < wanted[at + 1] then
      local answer, final = refusal(first, last)
      -- A tombstone makes it final.
      if final then
        given[tx] = answer
        tombstones[#tombstones + 1] = tx
        tombstones[#tombstones + 1] = answer
      end
      return answer
    end
  end
  for at = first, last, 2 do
    local item, units = wanted[at], wanted[at + 1]
    stock[item], holds[item], changed[item] = stock[item] - units, holds[item] + units, true
  end
  given[tx] = REPLY.HELD
  kept[#kept + 1] = tx
  kept[#kept + 1] = ARGV[3 + count + place]
  return REPLY.HELD
end

local answers, at = {}, 1
for place = 1, count do
  local last = at + 1 + 2 * wanted[at + 1]
  answers[place] = reserve(place, wanted[at], at + 2, last)
  at = last + 1
end

local items = {}
for item in pairs(changed) do
  local record = records[item]
  items[#items + 1] = KEYS[2 + item]
  items[#items + 1] = sub(record, 1, RECORD.HEAD_SIZE) .. pack('<dd', stock[item], holds[item])
    .. sub(record, ITEM.NET_AT)
end
write(items, kept, {}, tombstones, ARGV[2])
return told(answers)
