#!lua
-- Begins an attempt: open -> pending. May be repeated; a tx begins at most once.
--
-- KEYS[1]  {p}:order:<id>  hash: status, tx, refusal, user, total, deadline, lease, life
-- KEYS[2]  {p}:cart:<id>   hash: item -> units and the sum quoted for them; frozen while the order is not open
-- KEYS[3]  {p}:inflight    sorted set: order -> when recovery looks at it (Unix ms)
-- ARGV[1]  tx
-- ARGV[2]  order
-- ARGV[3]  lease, ms from now
-- ARGV[4]  deadline, ms from now
--
-- Returns { BEGUN, tx, '', deadline, user, total, life, item, line, item, line, … }: the attempt is this tx's to drive
-- | { status, tx, refusal }: it is not; open (this tx has ended), pending or aborting (another's, or this one's that is
-- being given up), paid, or MOVED (this tx is not later than the last), UNKNOWN, NEWER (a record of a later release)
local order = redis.call('HMGET', KEYS[1], 'status', 'tx', 'refusal', 'user', 'total', 'deadline', 'life', 'v')
local status, last, refusal, deadline, tx = order[1], order[2], order[3] or '', order[6], ARGV[1]
if order[8] then return { 'NEWER', '', '' } end
if not status then return { 'UNKNOWN', '', '' } end
if status == 'paid' or status == 'aborting' then return { status, last, refusal } end
local answer = redis.call('HGETALL', KEYS[2])
if last == tx then
  if status == 'open' then return { status, last, refusal } end
else
  if status == 'pending' then return { status, last, '' } end
  -- A tx begins with its milliseconds. An old message that comes late, or a clock that goes backwards, cannot begin
  -- again what is over. They are compared as numbers: text compares as the locale of the server says.
  local function ms(id) return tonumber(string.sub(id, 1, 8) .. string.sub(id, 10, 13), 16) end
  if ms(tx) <= ms(last) then return { 'MOVED', last, '' } end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local lease = now + ARGV[3]
  deadline = string.format('%.0f', now + ARGV[4])
  redis.call('HSET', KEYS[1], 'status', 'pending', 'tx', tx, 'deadline', deadline, 'lease', lease, 'refusal', '')
  redis.call('ZADD', KEYS[3], lease, ARGV[2])
end
for place = #answer, 1, -1 do answer[place + 7] = answer[place] end
answer[1], answer[2], answer[3], answer[4] = 'BEGUN', tx, '', deadline
answer[5], answer[6], answer[7] = order[4], order[5], order[7] or ''
return answer
