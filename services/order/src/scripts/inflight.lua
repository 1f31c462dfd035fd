#!lua flags=no-writes
-- Reads all that is in flight on a shard, with how these orders stand, at one moment.
--
-- KEYS[1]  {tag}:inflight  sorted set: an order's key -> when recovery looks at it (Unix ms)
--
-- Returns { key, status, tx, v } for each: nil for what is not there, `?` for what cannot be read
--
-- The orders' keys come from the set: they are on this shard.
-- @include legible
local answer = {}
for place, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local order = legible(key, ORDER.STATUS, ORDER.TX, RECORD.V)
  answer[place] = { key, order[1], order[2], order[3] }
end
return answer
