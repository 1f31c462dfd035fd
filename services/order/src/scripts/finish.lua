#!lua flags=allow-oom
-- Ends attempts that are settled: aborting -> open; a paid order stays paid. They are no longer in flight. May be
-- repeated.
--
-- KEYS[1]   {tag}:inflight    sorted set: an order's key -> when recovery looks at it (Unix ms)
-- KEYS[2…]  {tag}:order:<id>  records: status, tx, refusal; one for each attempt
-- ARGV      tx, one for each attempt
--
-- Returns PAID (it is, by this tx) | `status tx refusal` as they are now: that is the truth | UNKNOWN | NEWER for each
-- attempt, or one for all of them
--
-- Everything is read before anything is written.
-- @include orders
local gone = {}
local answers = orders(2, function(place, key, record, opened)
  local status, tx, user = read('<Bc0Bc0', record, ORDER.STATUS_AT)
  local is_mine = tx == ARGV[place]
  if is_mine and (status == STATUS.PAID or status == STATUS.ABORTING) then gone[#gone + 1] = key end
  if is_mine and status == STATUS.ABORTING then
    status = STATUS.OPEN
    -- `open` is four bytes shorter than `aborting`, and so the incarnation begins four bytes earlier.
    opened[key] = pack('<BB',
      RECORD.VERSION, byte(record, RECORD.INCARNATION_PLACE_AT) - STATUS.ABORTING_LONGER_THAN_OPEN)
      .. sub(record, RECORD.NUMBERS_AT, ORDER.NUMBERS_END) .. STATUS.OPEN_TEXT .. sub(record, ORDER.BEHIND_ABORTING)
  end
  if is_mine and status == STATUS.PAID then return REPLY.PAID end
  return status .. ' ' .. tx .. ' ' .. read('<Bc0', record, user + 1 + byte(record, user))
end)
if #gone > 0 then call('ZREM', KEYS[1], unpack(gone)) end
return answers
