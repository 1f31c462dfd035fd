#!lua flags=allow-oom
-- Commits attempts on several orders: pending -> paid. Looks at status and tx, never at clocks. May be repeated.
--
-- KEYS  {p}:order:<id>, one for each attempt  records: status, tx, refusal
-- ARGV  tx, one for each attempt
--
-- Returns PAID (it is, by this tx) | `status tx refusal` as they are now: that is the truth | UNKNOWN | NEWER for each
-- attempt, or one for all of them
--
-- Everything is read before anything is written.
-- @include together
return orders(1, function(place, key, record, paid)
  local status, tx, user = read('<Bc0Bc0', record, 27)
  if tx == ARGV[place] and (status == 'pending' or status == 'paid') then
    if status == 'pending' then
      -- `paid` is three bytes shorter than `pending`, and so the life begins three bytes earlier.
      paid[key] = pack('<BB', 1, byte(record, 2) - 3) .. sub(record, 3, 26) .. '\4paid' .. sub(record, 35)
    end
    return 'PAID'
  end
  return status .. ' ' .. tx .. ' ' .. read('<Bc0', record, user + 1 + byte(record, user))
end)
