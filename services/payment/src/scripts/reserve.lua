#!lua
-- Holds, for each of several attempts to pay an order, an amount of a user's credit: one attempt after the other, as if
-- each had a call of its own.
--
-- KEYS  for n attempts: their n records, then the n sets of their partitions, then n users, then n payments
--   {p}:tx:<tx>                 string: version, state, and for HELD the order, the user's and the payment's key, the
--                               amount, and the life of user and order
--   {p}:held                    sorted set: tx -> deadline, for all that this partition holds
--   {p}:user:<id>               hash: credit, held, life, before
--   {p}:payment:<user>:<order>  hash: state, by, charged, refunded, life, was
-- ARGV  for each attempt: tx, deadline (Unix ms), its record if it is held up to the life, amount (from 0), the order's
--       life (which of the orders that had this id one after the other; empty for a minted id)
--
-- Returns one answer for each attempt: HELD | BUSY (others hold the credit) | PENDING (another attempt holds the order)
-- | EXPIRED | UNKNOWN | INSUFFICIENT | ALREADY_PAID | CANCELLED | CONFIRMED | NEWER
--
-- The record is read before clock and credit: a repeat must get the first answer even when the deadline has
-- passed, or the credit has been spent, since. Everything is read before anything is written.
-- {together}
local count = #KEYS / 4
local records = call('MGET', unpack(KEYS, 1, count))
local time = call('TIME')
local now = time[1] * 1000 + time[2] / 1000

-- What the attempts before leave behind: records by key, users, lives by payment, and what is to be written at the end.
local left, credit, held, lives, newer, reserved = {}, {}, {}, {}, {}, {}
local changed, before, gone, back, payments, kept, tombstones = {}, {}, {}, {}, {}, {}, {}

local function look(user)
  local found = call('HMGET', user, 'credit', 'held', 'life', 'v')
  credit[user], held[user] = tonumber(found[1]) or false, tonumber(found[2])
  lives[user], newer[user] = (found[3] or '') .. '/', found[4]
end

-- How a payment stands: state, by whom, charged, life, whether it is of a later release. Most often there is none.
local function look_at_payment(key)
  if reserved[key] then return 'reserved', 'checkout', nil, reserved[key] end
  if not call('HGET', key, 'state') then return nil end
  return unpack(call('HMGET', key, 'state', 'by', 'charged', 'life', 'v'))
end

local function told(record)
  local version, answer = string.match(record, '^(%d+) ([%u_]+)')
  return version == '1' and answer or 'NEWER'
end

-- A refusal leaves a tombstone, and so is final.
local function refuse(key, deadline, answer)
  left[key], tombstones[key] = '1 ' .. answer, ending(deadline)
  return answer
end

local function reserve(place)
  local argument = place * 5 - 4
  local key, deadline = KEYS[place], ARGV[argument + 1]
  local record = left[key] or records[place]
  if record then return told(record) end
  if now > tonumber(deadline) then return 'EXPIRED' end

  local user, payment, wanted = KEYS[2 * count + place], KEYS[3 * count + place], ARGV[argument + 3]
  if credit[user] == nil then look(user) end
  local state, by, charged, of, is_newer = look_at_payment(payment)
  if newer[user] or is_newer then return 'NEWER' end
  if not credit[user] then return refuse(key, deadline, 'UNKNOWN') end
  local amount, life = tonumber(wanted), lives[user] .. ARGV[argument + 4]
  -- A payment of another life of the user or the order says nothing about this one.
  if state and of == life then
    if state == 'reserved' then return 'PENDING' end
    if state == 'charged' then return refuse(key, deadline, 'ALREADY_PAID') end
  end
  if credit[user] < amount then
    return credit[user] + held[user] < amount and refuse(key, deadline, 'INSUFFICIENT') or 'BUSY'
  end

  credit[user], held[user], changed[user] = credit[user] - amount, held[user] + amount, true
  if state and of == life then
    -- A direct payment that was given back: `was` brings it back should this attempt be cancelled.
    back[payment] = charged
  elseif state then
    -- What a checkout charged this user for an order that was overwritten since stays charged: `before`, for the audit.
    if state == 'charged' and by == 'checkout' and string.sub(of or '', 1, #lives[user]) == lives[user] then
      before[user] = (before[user] or 0) + charged
    end
    gone[#gone + 1], back[payment] = payment, nil
  end
  reserved[payment] = life
  payments[#payments + 1] = payment
  payments[payment] = wanted
  left[key] = ARGV[argument + 2] .. life
  kept[#kept + 1] = key
  kept[#kept + 1] = left[key]
  local set = listed(KEYS[count + place])
  set[#set + 1] = deadline
  set[#set + 1] = ARGV[argument]
  return 'HELD'
end

local answers = {}
for place = 1, count do answers[place] = reserve(place) end

for user in pairs(changed) do call('HSET', user, 'credit', credit[user], 'held', held[user]) end
for user, amount in pairs(before) do call('HINCRBY', user, 'before', amount) end
if #gone > 0 then call('DEL', unpack(gone)) end
for _, payment in ipairs(payments) do
  call('HSET', payment, 'state', 'reserved', 'by', 'checkout', 'charged', payments[payment], 'refunded', '0', 'life', reserved[payment])
end
for payment, charged in pairs(back) do call('HSET', payment, 'was', charged) end
-- Never with a time to live: what is held stays held until it is decided.
if #kept > 0 then call('MSET', unpack(kept)) end
for set, added in pairs(members) do call('ZADD', set, unpack(added)) end
for key, ends in pairs(tombstones) do call('SET', key, left[key], 'PXAT', ends) end
return answers
