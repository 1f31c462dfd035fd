#!lua flags=allow-oom
-- Makes final what attempts hold on this shard: the units are sold. One attempt after the other, as if each had a call
-- of its own.
--
-- KEYS[1]   {tag}:held            hash: tx -> what is held for it (see reservation_record.rs of common/schema)
-- KEYS[2]   {tag}:ended:<second>  hash: tx -> the answer that it has got for good; of attempts with a deadline in this
--                                 second
-- ARGV[1]   when tombstones of this second end (Unix ms)
-- ARGV[2]   doubles: the deadline of each attempt (Unix ms)
-- ARGV[3…]  the tx of each attempt
--
-- Returns CONFIRMED | GONE (unknown, settled long ago) | LOST (unknown: an alarm) | CONFLICT (cancelled: an alarm)
-- | NEWER for each attempt, or one for all of them
--
-- The items' keys come from what is held: they were passed as keys when it was written, and are on this shard.
-- Everything is read before anything is written.
-- @include told
-- @include write
-- @include now_ms
-- @include settle
local sold, gone, tombstones, given = {}, {}, {}, {}
local function confirm(place, tx)
  if given[tx] then return REPLY.CONFIRMED end
  if not held[place] then
    local answer = ended[place]
    if answer then return (answer == REPLY.CONFIRMED or answer == REPLY.NEWER) and answer or REPLY.CONFLICT end
    return now_ms() >= deadlines[place] + LIMIT.SETTLED_AFTER_MS and REPLY.GONE or REPLY.LOST
  end
  local lines = lines_of[place]
  if not lines or is_newer(lines) then return REPLY.NEWER end
  for at = 1, #lines, 2 do
    local item = place_of[lines[at]]
    sold[item] = (sold[item] or 0) + lines[at + 1]
  end
  given[tx] = true
  gone[#gone + 1] = tx
  tombstones[#tombstones + 1] = tx
  tombstones[#tombstones + 1] = REPLY.CONFIRMED
  return REPLY.CONFIRMED
end

local answers = {}
for place, tx in ipairs(txs) do answers[place] = confirm(place, tx) end

local items = {}
for item, units in pairs(sold) do
  local record = records[item]
  items[#items + 1] = keys[item]
  items[#items + 1] = sub(record, 1, ITEM.STOCK_END) .. pack('<d', read('<d', record, ITEM.HELD_AT) - units)
    .. sub(record, ITEM.NET_AT)
end
write_items(items)
write({}, {}, gone, tombstones, ARGV[1])
return told(answers)
