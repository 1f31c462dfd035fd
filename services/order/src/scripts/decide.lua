#!lua flags=allow-oom
-- Commits an attempt: pending -> paid. Looks at status and tx, never at clocks. May be repeated.
--
-- KEYS[1]  {p}:order:<id>  hash: status, tx, refusal
-- ARGV[1]  tx
--
-- Returns { status, tx, refusal } as they are now: that is the truth | { UNKNOWN, '', '' } | { NEWER, '', '' }
local order = redis.call('HMGET', KEYS[1], 'status', 'tx', 'refusal', 'v')
if order[4] then return { 'NEWER', '', '' } end
if not order[1] then return { 'UNKNOWN', '', '' } end
if order[1] == 'pending' and order[2] == ARGV[1] then
  redis.call('HSET', KEYS[1], 'status', 'paid')
  return { 'paid', order[2], '' }
end
return { order[1], order[2], order[3] or '' }
