#!lua flags=no-writes
-- Reads all that an order's shard knows of it, at one moment.
--
-- KEYS[1]  {tag}:order:<id>  record: status, tx, user, total, incarnation, deadline, lease, refusal
-- KEYS[2]  {tag}:cart:<id>   hash: item -> units and the sum quoted for them
-- KEYS[3]  {tag}:inflight    sorted set: an order's key -> when recovery looks at it (Unix ms)
--
-- Returns { now, status, tx, user, total, incarnation, deadline, lease, refusal, v, due, item, line, item, line, … }:
-- nil for what is not there; now is this server's clock (Unix ms)
-- @include fields
local time = redis.call('TIME')
local order = fields(KEYS[1], ORDER.STATUS, ORDER.TX, ORDER.USER, ORDER.TOTAL, RECORD.INCARNATION,
  ORDER.DEADLINE, ORDER.LEASE, ORDER.REFUSAL, RECORD.V)
local answer = { string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)) }
for field = 1, 9 do answer[field + 1] = order[field] end
answer[11] = redis.call('ZSCORE', KEYS[3], KEYS[1])
local cart = redis.call('HGETALL', KEYS[2])
for field = 1, #cart do answer[field + 11] = cart[field] end
return answer
