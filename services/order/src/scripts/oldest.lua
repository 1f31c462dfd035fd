#!lua flags=no-writes
-- Reads what is in flight in some partitions of a shard, those that are due first.
--
-- KEYS     {p}:inflight  sorted sets: order -> when recovery looks at it (Unix ms)
-- ARGV[1]  how many of each set at most
--
-- Returns { set, order, now, status, tx, user, lease } for each: the set by its place among KEYS, now by this server's
-- clock (Unix ms), nil for what is not there
--
-- The orders' keys are made from their partition, on this shard.
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local answer = {}
for set = 1, #KEYS do
  local order_key = string.sub(KEYS[set], 1, -9) .. 'order:'
  for _, id in ipairs(redis.call('ZRANGE', KEYS[set], 0, ARGV[1] - 1)) do
    local order = redis.call('HMGET', order_key .. id, 'status', 'tx', 'user', 'lease')
    answer[#answer + 1] = { tostring(set), id, now, order[1], order[2], order[3], order[4] }
  end
end
return answer
