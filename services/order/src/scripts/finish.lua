#!lua flags=allow-oom
-- Ends attempts that are settled: aborting -> open; a paid order stays paid. They are no longer in flight. May be repeated.
--
-- KEYS  for n attempts: their n orders, then n sets of their partitions
--   {p}:order:<id>  hash: status, tx, refusal
--   {p}:inflight    sorted set
-- ARGV  for each attempt: tx, order
--
-- Returns for each attempt `status tx refusal` as they are now: that is the truth | UNKNOWN | NEWER
--
-- Everything is read before anything is written.
-- {together}
local count = #KEYS / 2
local opened, is_open, answers = {}, {}, {}
for place = 1, count do
  local key = KEYS[place]
  local order = call('HMGET', key, 'status', 'tx', 'refusal', 'v')
  local status, tx, refusal = is_open[key] and 'open' or order[1], order[2], order[3] or ''
  if order[4] then
    answers[place] = 'NEWER'
  elseif not status then
    answers[place] = 'UNKNOWN'
  else
    if tx == ARGV[place * 2 - 1] and (status == 'paid' or status == 'aborting') then
      if status == 'aborting' then
        status = 'open'
        opened[#opened + 1], is_open[key] = key, true
      end
      local set = listed(KEYS[count + place])
      set[#set + 1] = ARGV[place * 2]
    end
    answers[place] = status .. ' ' .. tx .. ' ' .. refusal
  end
end
for _, key in ipairs(opened) do call('HSET', key, 'status', 'open') end
for set, gone in pairs(members) do call('ZREM', set, unpack(gone)) end
return answers
