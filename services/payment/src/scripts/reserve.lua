#!lua
-- Holds an amount of a user's credit for one attempt to pay an order.
--
-- KEYS[1]  {p}:tx:<tx>                 string: version, state, and for HELD the order, the user's and the payment's key, the
--                                      amount, and the life of user and order
-- KEYS[2]  {p}:held                    sorted set: tx -> deadline, for all that this partition holds
-- KEYS[3]  {p}:user:<id>               hash: credit, held, life, before
-- KEYS[4]  {p}:payment:<user>:<order>  hash: state, by, charged, refunded, life, was
-- ARGV[1]  tx
-- ARGV[2]  deadline, Unix ms
-- ARGV[3]  order
-- ARGV[4]  amount, from 0
-- ARGV[5]  the order's life: which of the orders that had this id one after the other; empty for a minted id
--
-- Returns HELD | BUSY (others hold the credit) | PENDING (another attempt holds the order) | EXPIRED | UNKNOWN | INSUFFICIENT | ALREADY_PAID | CANCELLED | CONFIRMED | NEWER
--
-- The record is read before clock and credit: a repeat must get the first answer even when the deadline has
-- passed, or the credit has been spent, since.
local tx, deadline = KEYS[1], tonumber(ARGV[2])

local record = redis.call('GET', tx)
if record then
  local version, answer = string.match(record, '^(%d+) ([%u_]+)')
  return version == '1' and answer or 'NEWER'
end

local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > deadline then return 'EXPIRED' end

-- A refusal leaves a tombstone, and so is final.
local function refuse(answer)
  redis.call('SET', tx, '1 ' .. answer, 'PXAT', deadline + 70000)
  return answer
end

local user = redis.call('HMGET', KEYS[3], 'credit', 'held', 'life', 'v')
local payment = redis.call('HMGET', KEYS[4], 'state', 'by', 'charged', 'life', 'v')
local credit, held, amount = tonumber(user[1]), tonumber(user[2]), tonumber(ARGV[4])
local mine = (user[3] or '') .. '/'
local life = mine .. ARGV[5]
if user[4] or payment[5] then return 'NEWER' end
if not credit then return refuse('UNKNOWN') end
-- A payment of another life of the user or the order says nothing about this one.
local state = payment[4] == life and payment[1] or nil
if state == 'reserved' then return 'PENDING' end
if state == 'charged' then return refuse('ALREADY_PAID') end
if credit + held < amount then return refuse('INSUFFICIENT') end
if credit < amount then return 'BUSY' end

redis.call('HSET', KEYS[3], 'credit', credit - amount, 'held', held + amount)
if state == 'cancelled' then
  -- A direct payment that was given back: `was` brings it back should this attempt be cancelled.
  redis.call('HSET', KEYS[4], 'state', 'reserved', 'by', 'checkout', 'charged', ARGV[4], 'refunded', 0, 'was', payment[3])
else
  if payment[1] then
    -- What a checkout charged this user for an order that was overwritten since stays charged: `before`, for the audit.
    if payment[1] == 'charged' and payment[2] == 'checkout' and string.sub(payment[4] or '', 1, #mine) == mine then
      redis.call('HINCRBY', KEYS[3], 'before', payment[3])
    end
    redis.call('DEL', KEYS[4])
  end
  redis.call('HSET', KEYS[4], 'state', 'reserved', 'by', 'checkout', 'charged', ARGV[4], 'refunded', 0, 'life', life)
end
-- Never with a time to live: what is held stays held until it is decided.
redis.call('SET', tx, table.concat({ '1 HELD', ARGV[3], KEYS[3], KEYS[4], ARGV[4], life }, ' '))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
return 'HELD'
