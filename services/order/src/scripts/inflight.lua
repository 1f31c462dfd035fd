#!lua flags=no-writes
-- Reads all that is in flight on a shard, with the records of these orders, at one moment.
--
-- KEYS[1]  {tag}:inflight  sorted set: an order's key -> when recovery looks at it (Unix ms)
--
-- Returns { key, due, bytes } for each: the bytes of the record, nil if there is none, none for a key of another type
--
-- The orders' keys come from the set: they are on this shard.
-- @include bytes
local answer, listed = {}, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for place = 1, #listed, 2 do
  answer[#answer + 1] = { listed[place], listed[place + 1], bytes(listed[place]) }
end
return answer
