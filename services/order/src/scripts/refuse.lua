#!lua flags=allow-oom
-- Gives an attempt up in one step: pending -> open, with the refusal. Only for its coordinator, when it has not sent
-- decide and nobody holds anything for it, now or ever. May be repeated.
--
-- KEYS[1]  {p}:order:<id>  record: status, tx, refusal
-- KEYS[2]  {p}:inflight    sorted set
-- ARGV[1]  tx
-- ARGV[2]  refusal
--
-- Returns { status, tx, refusal } as they are now: that is the truth | { UNKNOWN, '', '' } | { NEWER, '', '' }
-- {fields}
local order = fields(KEYS[1], 'status', 'tx', 'refusal', 'v')
if order[4] then return { 'NEWER', '', '' } end
if not order[1] then return { 'UNKNOWN', '', '' } end
if order[1] == 'pending' and order[2] == ARGV[1] then
  set(KEYS[1], 'status', 'open', 'refusal', ARGV[2])
  redis.call('ZREM', KEYS[2], KEYS[1])
  return { 'open', order[2], ARGV[2] }
end
return { order[1], order[2], order[3] or '' }
