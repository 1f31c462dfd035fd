#!lua flags=allow-oom
-- Ends an attempt that is settled: aborting -> open; a paid order stays paid. It is no longer in flight. May be repeated.
--
-- KEYS[1]  {p}:order:<id>  hash: status, tx, refusal
-- KEYS[2]  {p}:inflight    sorted set
-- ARGV[1]  tx
-- ARGV[2]  order
--
-- Returns { status, tx, refusal } as they are now: that is the truth | { UNKNOWN, '', '' } | { NEWER, '', '' }
local order = redis.call('HMGET', KEYS[1], 'status', 'tx', 'refusal', 'v')
if order[4] then return { 'NEWER', '', '' } end
if not order[1] then return { 'UNKNOWN', '', '' } end
local status = order[1]
if order[2] == ARGV[1] and (status == 'paid' or status == 'aborting') then
  if status == 'aborting' then
    status = 'open'
    redis.call('HSET', KEYS[1], 'status', status)
  end
  redis.call('ZREM', KEYS[2], ARGV[2])
end
return { status, order[2], order[3] or '' }
