#!lua flags=allow-oom
-- How an order stands. Asked about an attempt that a participant still holds: makes sure that recovery looks at the
-- order.
--
-- KEYS[1]  {tag}:order:<id>  record: status, tx, refusal, incarnation
-- KEYS[2]  {tag}:inflight    sorted set: an order's key -> when recovery looks at it (Unix ms)
-- ARGV[1]  tx that is still held, or empty
--
-- Returns { status, tx, refusal, incarnation } | { UNKNOWN, '', '' } | { NEWER, '', '' }
-- @include fields
local order = fields(KEYS[1], ORDER.STATUS, ORDER.TX, ORDER.REFUSAL, RECORD.INCARNATION, RECORD.V)
if order[5] then return { REPLY.NEWER, '', '' } end
if not order[1] then return { REPLY.UNKNOWN, '', '' } end
if order[2] == ARGV[1] and order[1] ~= STATUS.OPEN then
  redis.call('ZADD', KEYS[2], 'NX', 0, KEYS[1])
end
return { order[1], order[2], order[3] or '', order[4] or '' }
