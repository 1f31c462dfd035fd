#!lua flags=no-writes
-- Reads all that is in flight on a shard, with how these orders stand, at one moment.
--
-- KEYS[1…16]  {p}:inflight  sorted sets: order -> when recovery looks at it (Unix ms)
--
-- Returns { order, status, tx, v } for each: nil for what is not there
--
-- The orders' keys are made from their partition, on this shard.
local answer = {}
for set = 1, 16 do
  local order_key = string.sub(KEYS[set], 1, -9) .. 'order:'
  for _, id in ipairs(redis.call('ZRANGE', KEYS[set], 0, -1)) do
    local order = redis.call('HMGET', order_key .. id, 'status', 'tx', 'v')
    answer[#answer + 1] = { id, order[1], order[2], order[3] }
  end
end
return answer
