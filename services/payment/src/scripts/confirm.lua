#!lua flags=allow-oom
-- Makes final what attempts hold of users' credit: it is charged. One attempt after the other, as if each had a call of
-- its own.
--
-- KEYS  for n attempts: their n records, then the n sets of their partitions
--   {p}:tx:<tx>  string: version, state, and for HELD the order, the user's and the payment's key, the
--                amount, and the life of user and order
--   {p}:held     sorted set: tx -> deadline
-- ARGV  for each attempt: tx, deadline (Unix ms)
--
-- Returns one answer for each attempt: CONFIRMED | GONE (unknown, settled long ago) | LOST (unknown: an alarm)
-- | CONFLICT (cancelled: an alarm) | NEWER
--
-- The other keys come from the record: they were passed as keys when it was written, and are in its partition.
-- Everything is read before anything is written.
-- {together}
local count = #KEYS / 2
local records = call('MGET', unpack(KEYS, 1, count))
local confirmed, charged, payments = {}, {}, {}

local function confirm(place)
  local key, deadline = KEYS[place], ARGV[place * 2]
  local record = confirmed[key] and '1 CONFIRMED' or records[place]
  if not record then
    local time = call('TIME')
    return time[1] * 1000 + time[2] / 1000 >= deadline + 60000 and 'GONE' or 'LOST'
  end
  local version, state, user, payment, amount, life =
    string.match(record, '^(%d+) ([%u_]+) ?%S* ?(%S*) ?(%S*) ?(%d*) ?(%S*)$')
  if version ~= '1' then return 'NEWER' end
  if state == 'CONFIRMED' then return 'CONFIRMED' end
  if state ~= 'HELD' then return 'CONFLICT' end
  local paid = call('HMGET', payment, 'state', 'life', 'v')
  if paid[3] or is_newer(user) then return 'NEWER' end
  if amount ~= '0' then charged[user] = (charged[user] or 0) + amount end
  -- A payment of another life of the user or the order is not this attempt's.
  if paid[1] == 'reserved' and paid[2] == life then payments[payment] = true end
  confirmed[key] = ending(deadline)
  local set = listed(KEYS[count + place])
  set[#set + 1] = ARGV[place * 2 - 1]
  return 'CONFIRMED'
end

local answers = {}
for place = 1, count do answers[place] = confirm(place) end

for user, amount in pairs(charged) do call('HINCRBY', user, 'held', -amount) end
for payment in pairs(payments) do call('HSET', payment, 'state', 'charged') end
for key, ends in pairs(confirmed) do call('SET', key, '1 CONFIRMED', 'PXAT', ends) end
for set, gone in pairs(members) do call('ZREM', set, unpack(gone)) end
return answers
