#!lua
-- Begins attempts on several orders: open -> pending. One after the other, as if each had a call of its own. May be
-- repeated; a tx begins at most once.
--
-- KEYS  for n attempts: their n orders, then n carts, then n sets of their partitions
--   {p}:order:<id>  hash: status, tx, refusal, user, total, deadline, lease, life
--   {p}:cart:<id>   hash: item -> units and the sum quoted for them; frozen while the order is not open
--   {p}:inflight    sorted set: order -> when recovery looks at it (Unix ms)
-- ARGV  lease, ms from now; deadline, ms from now; then for each attempt: tx, order
--
-- Returns one answer for each attempt: { BEGUN, tx, '', deadline, user, total, life, { item, line, item, line, … } }: the
-- attempt is this tx's to drive | { status, tx, refusal }: it is not; open (this tx has ended), pending or aborting
-- (another's, or this one's that is being given up), paid, or MOVED (this tx is not later than the last), UNKNOWN,
-- NEWER (a record of a later release)
--
-- Everything is read before anything is written.
-- {together}
local count = #KEYS / 3
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease, soon = string.format('%.0f', now + ARGV[1]), string.format('%.0f', now + ARGV[2])
-- The tx that began on an order in this call, and orders whose old refusal is to be forgotten.
local begun, forgotten = {}, {}

-- A tx begins with its milliseconds. They are compared as numbers: text compares as the locale of the server says.
local function ms(id) return tonumber(string.sub(id, 1, 8) .. string.sub(id, 10, 13), 16) end

local function begin(place)
  local key, tx = KEYS[place], ARGV[place * 2 + 1]
  local order = call('HMGET', key, 'status', 'tx', 'refusal', 'user', 'total', 'deadline', 'life', 'v')
  local status, last, refusal, deadline = order[1], order[2], order[3] or '', order[6]
  if order[8] then return { 'NEWER', '', '' } end
  if not status then return { 'UNKNOWN', '', '' } end
  if begun[key] then status, last, deadline = 'pending', begun[key], soon end
  if status == 'paid' or status == 'aborting' then return { status, last, refusal } end
  if last == tx then
    if status == 'open' then return { status, last, refusal } end
  else
    if status == 'pending' then return { status, last, '' } end
    -- An old message that comes late, or a clock that goes backwards, cannot begin again what is over.
    if ms(tx) <= ms(last) then return { 'MOVED', last, '' } end
    deadline, begun[key] = soon, tx
    if refusal ~= '' then forgotten[#forgotten + 1] = key end
    local set = listed(KEYS[2 * count + place])
    set[#set + 1] = lease
    set[#set + 1] = ARGV[place * 2 + 2]
  end
  return { 'BEGUN', tx, '', deadline, order[4], order[5], order[7] or '', call('HGETALL', KEYS[count + place]) }
end

local answers = {}
for place = 1, count do answers[place] = begin(place) end

for key, tx in pairs(begun) do call('HSET', key, 'status', 'pending', 'tx', tx, 'deadline', soon, 'lease', lease) end
for _, key in ipairs(forgotten) do call('HSET', key, 'refusal', '') end
for set, added in pairs(members) do call('ZADD', set, unpack(added)) end
return answers
