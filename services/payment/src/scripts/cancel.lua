#!lua flags=allow-oom
-- Gives back what attempts hold of users' credit. One that holds nothing is told so when its reserve comes later. One
-- attempt after the other, as if each had a call of its own.
--
-- KEYS  for n attempts: their n records, then the n sets of their partitions
--   {p}:tx:<tx>  string: version, state, and for HELD the order, the user's and the payment's key, the
--                amount, and the life of user and order
--   {p}:held     sorted set: tx -> deadline
-- ARGV  for each attempt: tx, deadline (Unix ms)
--
-- Returns one answer for each attempt: CANCELLED (nothing is held, and nothing will be) | CONFLICT (confirmed: an alarm)
-- | NEWER
--
-- The other keys come from the record: they were passed as keys when it was written, and are in its partition.
-- Everything is read before anything is written.
-- {together}
local count = #KEYS / 2
local records = call('MGET', unpack(KEYS, 1, count))
local cancelled, back, payments = {}, {}, {}

local function cancel(place)
  local key, deadline = KEYS[place], ARGV[place * 2]
  if cancelled[key] then return 'CANCELLED' end
  local version, state, user, payment, amount, life =
    string.match(records[place] or '1 NONE', '^(%d+) ([%u_]+) ?%S* ?(%S*) ?(%S*) ?(%d*) ?(%S*)$')
  if version ~= '1' then return 'NEWER' end
  if state == 'CONFIRMED' then return 'CONFLICT' end
  if state == 'HELD' then
    local paid = call('HMGET', payment, 'state', 'life', 'was', 'v')
    if paid[4] or is_newer(user) then return 'NEWER' end
    if amount ~= '0' then back[user] = (back[user] or 0) + amount end
    -- A payment of another life of the user or the order is not this attempt's.
    if paid[1] == 'reserved' and paid[2] == life then
      if paid[3] then
        payments[#payments + 1] = { 'HSET', payment, 'state', 'cancelled', 'by', 'pay', 'charged', paid[3], 'refunded', paid[3] }
        payments[#payments + 1] = { 'HDEL', payment, 'was' }
      else
        payments[#payments + 1] = { 'DEL', payment }
      end
    end
    local set = listed(KEYS[count + place])
    set[#set + 1] = ARGV[place * 2 - 1]
  end
  -- A refusal's tombstone keeps its answer: repeats of that reserve get the first one.
  if state == 'HELD' or state == 'NONE' then cancelled[key] = ending(deadline) end
  return 'CANCELLED'
end

local answers = {}
for place = 1, count do answers[place] = cancel(place) end

for user, amount in pairs(back) do
  call('HINCRBY', user, 'credit', amount)
  call('HINCRBY', user, 'held', -amount)
end
for _, payment in ipairs(payments) do call(unpack(payment)) end
for key, ends in pairs(cancelled) do call('SET', key, '1 CANCELLED', 'PXAT', ends) end
for set, gone in pairs(members) do call('ZREM', set, unpack(gone)) end
return answers
