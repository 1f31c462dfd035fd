#!lua flags=allow-oom
-- Ends attempts that are settled: aborting -> open; a paid order stays paid. They are no longer in flight. May be repeated.
--
-- KEYS[1]   {p}:inflight    sorted set: an order's key -> when recovery looks at it (Unix ms)
-- KEYS[2…]  {p}:order:<id>  records: status, tx, refusal; one for each attempt
-- ARGV      tx, one for each attempt
--
-- Returns PAID (it is, by this tx) | `status tx refusal` as they are now: that is the truth | UNKNOWN | NEWER for each
-- attempt, or one for all of them
--
-- Everything is read before anything is written.
-- {together}
local records, opened, gone, answers = call('MGET', unpack(KEYS, 2)), {}, {}, {}
for place, mine in ipairs(ARGV) do
  local key = KEYS[1 + place]
  local record = opened[key] or records[place]
  if not record then
    answers[place] = 'UNKNOWN'
  elseif byte(record) ~= 1 then
    answers[place] = 'NEWER'
  else
    local status, tx, user = read('<Bc0Bc0', record, 27)
    if tx == mine and (status == 'paid' or status == 'aborting') then gone[#gone + 1] = key end
    if tx == mine and status == 'aborting' then
      status = 'open'
      -- `open` is four bytes shorter than `aborting`, and so the life begins four bytes earlier.
      opened[key] = pack('<BB', 1, byte(record, 2) - 4) .. sub(record, 3, 26) .. '\4open' .. sub(record, 36)
    end
    if tx == mine and status == 'paid' then
      answers[place] = 'PAID'
    else
      answers[place] = status .. ' ' .. tx .. ' ' .. read('<Bc0', record, user + 1 + byte(record, user))
    end
  end
end
write_orders(opened)
if #gone > 0 then call('ZREM', KEYS[1], unpack(gone)) end
return told(answers)
