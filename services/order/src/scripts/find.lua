#!lua flags=no-writes
-- Reads an order and its cart at one moment.
--
-- KEYS[1]  {p}:order:<id>  record: user, status, total
-- KEYS[2]  {p}:cart:<id>   hash: item -> units and the sum quoted for them
--
-- Returns { UNKNOWN } | { NEWER } | { status, user, total, item, line, item, line, … }
-- {fields}
local order = fields(KEYS[1], 'status', 'user', 'total', 'v')
if order[4] then return { 'NEWER' } end
if not order[1] then return { 'UNKNOWN' } end
local answer = redis.call('HGETALL', KEYS[2])
for place = #answer, 1, -1 do answer[place + 3] = answer[place] end
answer[1], answer[2], answer[3] = order[1], order[2], order[3]
return answer
