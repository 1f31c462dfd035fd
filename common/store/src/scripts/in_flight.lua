#!lua flags=no-writes
-- Counts what is in flight on an order shard, and finds when the oldest of it began.
--
-- KEYS[1]  {tag}:inflight  sorted set: an order's key -> when recovery looks at it (Unix ms)
-- ARGV[1]  how many orders to look at, those that are due first
--
-- Returns { count, ms since the oldest attempt began, or -1 if there is none }, as words
--
-- What is stuck is due again and again, so it is among the first sooner or later. A tx begins with the milliseconds of
-- its making; one that does not, or cannot be read, is passed over. The orders' keys come from the set: they are on
-- this shard.
-- @include legible
-- @include minted_ms
local count, oldest = redis.call('ZCARD', KEYS[1]), nil
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)) do
  local tx = legible(key, ORDER.TX)[1] or ''
  local began = minted_ms(tx)
  if began and began < (oldest or math.huge) then oldest = began end
end
local time = redis.call('TIME')
local age = oldest and math.max(0, time[1] * 1000 + math.floor(time[2] / 1000) - oldest) or -1
return { tostring(count), string.format('%.0f', age) }
