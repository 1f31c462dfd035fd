#!lua flags=no-writes
-- Reads what is in flight on a shard, those that are due first.
--
-- KEYS[1]  {tag}:inflight  sorted set: an order's key -> when recovery looks at it (Unix ms)
-- ARGV[1]  how many at most
--
-- Returns { key, now, status, tx, user, lease } for each: now by this server's clock (Unix ms), nil for what is not
-- there, `?` for what cannot be read
--
-- The orders' keys come from the set: they are on this shard.
-- @include legible
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local answer = {}
for place, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)) do
  local order = legible(key, ORDER.STATUS, ORDER.TX, ORDER.USER, ORDER.LEASE)
  answer[place] = { key, now, order[1], order[2], order[3], order[4] }
end
return answer
