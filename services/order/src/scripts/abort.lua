#!lua flags=allow-oom
-- Gives an attempt up, first step of two: pending -> aborting, with the refusal. It can no longer be decided; the order
-- opens again (finish.lua) when all participants have acknowledged their cancel. May be repeated; the first refusal
-- stays.
--
-- KEYS[1]  {tag}:order:<id>  record: status, tx, refusal
-- ARGV[1]  tx
-- ARGV[2]  refusal
--
-- Returns { status, tx, refusal } as they are now: that is the truth | { UNKNOWN, '', '' } | { NEWER, '', '' }
-- @include fields
-- @include set
local order = fields(KEYS[1], ORDER.STATUS, ORDER.TX, ORDER.REFUSAL, RECORD.V)
if order[4] then return { REPLY.NEWER, '', '' } end
if not order[1] then return { REPLY.UNKNOWN, '', '' } end
if order[1] == STATUS.PENDING and order[2] == ARGV[1] then
  set(KEYS[1], ORDER.STATUS, STATUS.ABORTING, ORDER.REFUSAL, ARGV[2])
  return { STATUS.ABORTING, order[2], ARGV[2] }
end
return { order[1], order[2], order[3] or '' }
