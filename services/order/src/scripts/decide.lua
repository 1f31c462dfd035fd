#!lua flags=allow-oom
-- Commits attempts on several orders: pending -> paid. Looks at status and tx, never at clocks. May be repeated.
--
-- KEYS  {p}:order:<id>, one for each attempt  hash: status, tx, refusal
-- ARGV  tx, one for each attempt
--
-- Returns for each attempt `status tx refusal` as they are now: that is the truth | UNKNOWN | NEWER
--
-- Everything is read before anything is written.
local call, paid, is_paid, answers = redis.call, {}, {}, {}
for place, key in ipairs(KEYS) do
  local order = call('HMGET', key, 'status', 'tx', 'refusal', 'v')
  if is_paid[key] then order[1] = 'paid' end
  if order[4] then
    answers[place] = 'NEWER'
  elseif not order[1] then
    answers[place] = 'UNKNOWN'
  elseif order[1] == 'pending' and order[2] == ARGV[place] then
    paid[#paid + 1], is_paid[key] = key, true
    answers[place] = 'paid ' .. order[2]
  else
    answers[place] = order[1] .. ' ' .. order[2] .. ' ' .. (order[3] or '')
  end
end
for _, key in ipairs(paid) do call('HSET', key, 'status', 'paid') end
return answers
