#!lua flags=allow-oom
-- Gives back what attempts hold on this shard. One that holds nothing is told so when its reserve comes later. One
-- attempt after the other, as if each had a call of its own.
--
-- KEYS and ARGV are those of confirm.lua
--
-- Returns CANCELLED (nothing is held, and nothing will be) | CONFLICT (confirmed: an alarm) | NEWER for each attempt,
-- or one for all of them
--
-- The items' keys come from what is held: they were passed as keys when it was written, and are on this shard.
-- Everything is read before anything is written.
-- @include told
-- @include write
-- @include settle
local back, gone, tombstones, given = {}, {}, {}, {}
local function cancel(place, tx)
  if given[tx] then return REPLY.CANCELLED end
  if held[place] then
    local lines = lines_of[place]
    if not lines or is_newer(lines) then return REPLY.NEWER end
    for at = 1, #lines, 2 do
      local item = place_of[lines[at]]
      back[item] = (back[item] or 0) + lines[at + 1]
    end
    gone[#gone + 1] = tx
  elseif ended[place] then
    if ended[place] == REPLY.NEWER then return REPLY.NEWER end
    -- A refusal's tombstone keeps its answer: repeats of that reserve get the first one.
    return ended[place] == REPLY.CONFIRMED and REPLY.CONFLICT or REPLY.CANCELLED
  end
  given[tx] = true
  tombstones[#tombstones + 1] = tx
  tombstones[#tombstones + 1] = REPLY.CANCELLED
  return REPLY.CANCELLED
end

local answers = {}
for place, tx in ipairs(txs) do answers[place] = cancel(place, tx) end

local items = {}
for item, units in pairs(back) do
  local record = records[item]
  local stock, holds = read('<dd', record, ITEM.STOCK_AT)
  items[#items + 1] = keys[item]
  items[#items + 1] = sub(record, 1, RECORD.HEAD_SIZE) .. pack('<dd', stock + units, holds - units)
    .. sub(record, ITEM.NET_AT)
end
write_items(items)
write({}, {}, gone, tombstones, ARGV[1])
return told(answers)
