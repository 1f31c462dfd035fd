#!lua flags=allow-oom
-- Removes orders of one shard that a bulk load has written, while nothing is in flight on it.
--
-- KEYS[1]     {tag}:inflight  sorted set: what is in flight on the shard
-- KEYS[2]     {tag}:overwritten  hash: item -> units that paid orders had bought before they went (for the audit)
-- KEYS[3…]    {tag}:order:<id> (record) and {tag}:cart:<id> (hash) in turn, two for each order
-- ARGV[1]     an id minted at this moment
--
-- Returns DONE | IN_USE (nothing removed)
--
-- What is noted of a paid order is part of the cart that goes, so this only ever frees memory. An order whose last tx
-- is not earlier than this moment (a clock is behind) stays: an order that is loaded later could not tell its attempts
-- from its own. Without an incarnation an order is none that was loaded.
-- @include minted_ms
if redis.call(REPLY.EXISTS, KEYS[1]) == 1 then return REPLY.IN_USE end
local moment = minted_ms(ARGV[1])
for key = 3, #KEYS, 2 do
  local old, status, tx = redis.call('GET', KEYS[key]), nil, nil
  if old and string.byte(old) == RECORD.VERSION and #old > string.byte(old, RECORD.INCARNATION_PLACE_AT) then
    status, tx = struct.unpack('<Bc0Bc0', old, ORDER.STATUS_AT)
  end
  if tx and #tx > 0 and minted_ms(tx) < moment then
    if status == STATUS.PAID then
      local lines = redis.call('HGETALL', KEYS[key + 1])
      for line = 1, #lines, 2 do
        redis.call('HINCRBY', KEYS[2], lines[line], string.match(lines[line + 1], '^%d+'))
      end
    end
    redis.call('DEL', KEYS[key], KEYS[key + 1])
  end
end
return REPLY.DONE
