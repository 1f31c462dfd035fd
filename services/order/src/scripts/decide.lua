#!lua flags=allow-oom
-- Commits attempts on several orders: pending -> paid. Looks at status and tx, never at clocks. May be repeated.
--
-- KEYS  {tag}:order:<id>, one for each attempt  records: status, tx, refusal
-- ARGV  tx, one for each attempt
--
-- Returns PAID (it is, by this tx) | `status tx refusal` as they are now: that is the truth | UNKNOWN | NEWER for each
-- attempt, or one for all of them
--
-- Everything is read before anything is written.
-- @include orders
return orders(1, function(place, key, record, paid)
  local status, tx, user = read('<Bc0Bc0', record, ORDER.STATUS_AT)
  if tx == ARGV[place] and (status == STATUS.PENDING or status == STATUS.PAID) then
    if status == STATUS.PENDING then
      -- `paid` is three bytes shorter than `pending`, and so the incarnation begins three bytes earlier.
      paid[key] = pack('<BB',
        RECORD.VERSION, byte(record, RECORD.INCARNATION_PLACE_AT) - STATUS.PENDING_LONGER_THAN_PAID)
        .. sub(record, RECORD.NUMBERS_AT, ORDER.NUMBERS_END) .. STATUS.PAID_TEXT .. sub(record, ORDER.BEHIND_PENDING)
    end
    return REPLY.PAID
  end
  return status .. ' ' .. tx .. ' ' .. read('<Bc0', record, user + 1 + byte(record, user))
end)
