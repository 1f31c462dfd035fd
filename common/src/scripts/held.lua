#!lua flags=no-writes
-- Lists what a partition has held since before a moment, with the order of each.
--
-- KEYS[1]  {p}:held  sorted set: tx -> deadline
-- ARGV[1]  how long after its deadline a reservation is looked at, ms
-- ARGV[2]  how many at most
-- ARGV[3]  {p}:tx:  what a record's key begins with
--
-- Returns tx, deadline, order for each, one after the other
local time = redis.call('TIME')
local latest = time[1] * 1000 - tonumber(ARGV[1])
local found = redis.call('ZRANGE', KEYS[1], '-inf', string.format('%.0f', latest), 'BYSCORE', 'LIMIT', 0, ARGV[2], 'WITHSCORES')
local answer = {}
for entry = 1, #found, 2 do
  local record = redis.call('GET', ARGV[3] .. found[entry])
  local order = string.match(record or '', '^1 HELD (%S+)')
  if order then
    answer[#answer + 1] = found[entry]
    answer[#answer + 1] = found[entry + 1]
    answer[#answer + 1] = order
  end
end
return answer
