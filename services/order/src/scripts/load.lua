#!lua
-- Overwrites many orders of one shard, each with two lines of one unit, while nothing is in flight on it.
--
-- KEYS[1]     {tag}:inflight  sorted set: what is in flight on the shard
-- KEYS[2]     {tag}:overwritten  hash: item -> units that paid orders had bought before they were overwritten (for the
--             audit)
-- KEYS[3…]    {tag}:order:<id> (record) and {tag}:cart:<id> (hash) in turn, two for each order
-- ARGV[1]     incarnation: an id minted at this moment. It is each order's first last tx, so that no attempt of an
--             earlier order of that id can begin, and tells payments of earlier orders from this one's. An order whose
--             last tx is not earlier (a clock is behind) gets the incarnation of the millisecond after it
-- ARGV[2]     price of each line
-- ARGV[3…]    user, item, item for each order
--
-- Returns DONE | IN_USE (nothing written)
-- @include minted_ms
if redis.call(REPLY.EXISTS, KEYS[1]) == 1 then return REPLY.IN_USE end
local price, arg, moment = tonumber(ARGV[2]), 3, minted_ms(ARGV[1])
local one, two = string.format('1 %.0f', price), string.format('2 %.0f', 2 * price)
for key = 3, #KEYS, 2 do
  local old, incarnation, status, tx = redis.call('GET', KEYS[key]), ARGV[1], nil, nil
  local lines = redis.call('HGETALL', KEYS[key + 1])
  if old and string.byte(old) == RECORD.VERSION then status, tx = struct.unpack('<Bc0Bc0', old, ORDER.STATUS_AT) end
  if status == STATUS.PAID then
    for line = 1, #lines, 2 do
      redis.call('HINCRBY', KEYS[2], lines[line], string.match(lines[line + 1], '^%d+'))
    end
  end
  if tx and minted_ms(tx) >= moment then
    local later = minted_ms(tx) + 1
    local high, low = math.floor(later / MINTED.MS_LOW_VALUES), later % MINTED.MS_LOW_VALUES
    incarnation = string.format(MINTED.MS_FORMAT, high, low) .. string.sub(incarnation, MINTED.REST_AT)
  end
  local user, NONE = ARGV[arg], 0 / 0
  redis.call('SET', KEYS[key], struct.pack('<BBdddBc0Bc0Bc0B', RECORD.VERSION, ORDER.SIZE_OPEN + #incarnation + #user,
    2 * price, NONE, NONE, STATUS.OPEN_LENGTH, STATUS.OPEN, #incarnation, incarnation, #user, user, 0) .. incarnation)
  local first, second, gone = ARGV[arg + 1], ARGV[arg + 2], {}
  if first == second then
    redis.call('HSET', KEYS[key + 1], first, two)
  else
    redis.call('HSET', KEYS[key + 1], first, one, second, one)
  end
  for line = 1, #lines, 2 do
    if lines[line] ~= first and lines[line] ~= second then gone[#gone + 1] = lines[line] end
  end
  if #gone > 0 then redis.call('HDEL', KEYS[key + 1], unpack(gone)) end
  arg = arg + 3
end
return REPLY.DONE
