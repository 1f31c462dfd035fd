#!lua flags=allow-oom
-- Claims what recovery should look at: moves its due time on, so that two machines do not look at the same.
--
-- KEYS[1]  {tag}:inflight  sorted set: an order's key -> when recovery looks at it (Unix ms)
-- ARGV[1]  how long a claim keeps others away, ms
-- ARGV[2]  how many at most
-- ARGV[3]  ms from now; a due time beyond it was written before this server's clock was set back: it counts as due
--
-- Returns the orders' keys
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGE', KEYS[1], '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, ARGV[2])
if #due == 0 then
  due = redis.call('ZRANGE', KEYS[1], string.format('%.0f', now + ARGV[3]), '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[2])
end
local claimed = {}
for _, order in ipairs(due) do
  claimed[#claimed + 1] = now + ARGV[1]
  claimed[#claimed + 1] = order
end
if #due > 0 then redis.call('ZADD', KEYS[1], unpack(claimed)) end
return due
