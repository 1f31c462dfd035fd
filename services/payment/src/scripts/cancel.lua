#!lua flags=allow-oom
-- Gives back what attempts hold of users' credit. One that holds nothing is told so when its reserve comes later. One
-- attempt after the other, as if each had a call of its own.
--
-- KEYS and ARGV are those of confirm.lua
--
-- Returns CANCELLED (nothing is held, and nothing will be) | CONFLICT (confirmed: an alarm) | NEWER for each attempt,
-- or one for all of them
--
-- The other keys come from what is held: they were passed as keys when it was written, and are on this shard.
-- Everything is read before anything is written.
-- @include told
-- @include write
-- @include settle
local back, removed, gone, tombstones, given = {}, {}, {}, {}, {}
local function cancel(place, tx)
  if given[tx] then return REPLY.CANCELLED end
  if held[place] then
    local part = parts[place]
    if not part or is_newer(part) then return REPLY.NEWER end
    back[part.user] = (back[part.user] or 0) + part.amount
    if is_reserved(part) then
      local was = read('<d', records[part.payment], PAYMENT.WAS_AT)
      if was == was then
        -- The direct payment that had been given back before.
        change(part.payment, pack('<BBddd', RECORD.VERSION, PAYMENT.SIZE_CANCELLED_BY_PAY, was, was, 0 / 0)
          .. PAYMENT.CANCELLED_BY_PAY .. part.incarnation)
      else
        removed[#removed + 1] = keys[part.payment]
      end
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

for user, amount in pairs(back) do
  local record = records[user]
  local credit, holds = read('<dd', record, USER.CREDIT_AT)
  change(user, sub(record, 1, RECORD.HEAD_SIZE) .. pack('<dd', credit + amount, holds - amount)
    .. sub(record, USER.NET_AT))
end
if #removed > 0 then call('DEL', unpack(removed)) end
write(changes, {}, gone, tombstones, ARGV[1])
return told(answers)
