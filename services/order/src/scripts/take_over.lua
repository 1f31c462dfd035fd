#!lua flags=allow-oom
-- Takes over an order in flight whose coordinator is late: a pending attempt whose lease is over becomes aborting; an
-- aborting or paid one is handed out to be settled. May be repeated.
--
-- KEYS[1]  {tag}:order:<id>  record: status, tx, refusal, user, total, deadline, lease, incarnation
-- KEYS[2]  {tag}:cart:<id>   hash: item -> units and the sum quoted for them
-- KEYS[3]  {tag}:inflight    sorted set: an order's key -> when recovery looks at it (Unix ms)
-- ARGV[1]  refusal, for an attempt that is given up
-- ARGV[2]  ms from now; a lease that ends later was written before this server's clock was set back, and counts as over
--
-- Returns { TAKEN, tx, refusal, deadline, user, total, incarnation, item, line, item, line, … }: aborting since this call,
--   to be settled
-- | { aborting or paid, tx, … } likewise: it was that before
-- | { open or pending, tx, refusal } (nothing to do, or its lease is not over)
-- | { UNKNOWN, '', '' } | { NEWER, '', '' }
-- @include fields
-- @include set
local order = fields(KEYS[1], ORDER.STATUS, ORDER.TX, ORDER.REFUSAL, ORDER.DEADLINE, ORDER.USER, ORDER.TOTAL,
  RECORD.INCARNATION, ORDER.LEASE, RECORD.V)
local status, tx, refusal = order[1], order[2], order[3] or ''
if order[9] then return { REPLY.NEWER, '', '' } end
if not status or status == STATUS.OPEN then
  redis.call('ZREM', KEYS[3], KEYS[1])
  return { status or REPLY.UNKNOWN, tx or '', refusal }
end
local answer = redis.call('HGETALL', KEYS[2])
if status == STATUS.PENDING then
  local time = redis.call('TIME')
  local lease_left = order[8] - time[1] * 1000 - time[2] / 1000
  if lease_left > 0 and lease_left < tonumber(ARGV[2]) then
    redis.call('ZADD', KEYS[3], order[8], KEYS[1])
    return { status, tx, refusal }
  end
  status, refusal = REPLY.TAKEN, ARGV[1]
  set(KEYS[1], ORDER.STATUS, STATUS.ABORTING, ORDER.REFUSAL, refusal)
end
for place = #answer, 1, -1 do answer[place + 7] = answer[place] end
answer[1], answer[2], answer[3], answer[4] = status, tx, refusal, order[4]
answer[5], answer[6], answer[7] = order[5], order[6], order[7] or ''
return answer
