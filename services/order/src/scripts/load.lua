#!lua
-- Overwrites many orders of one shard, each with two lines of one unit, while nothing is in flight on it.
--
-- KEYS[1]     {p}:inflight   sorted set: what is in flight on the shard
-- KEYS[2…17]  {p}:overwritten  hashes, one for each partition: item -> units that paid orders had bought before they were
--             overwritten (for the audit)
-- KEYS[18…]   {p}:order:<id> (record) and {p}:cart:<id> (hash) in turn, two for each order
-- ARGV[1]     life: an id minted at this moment. It is each order's first last tx, so that no attempt of an earlier
--             order of that id can begin, and tells payments of earlier orders from this one's. An order whose last tx
--             is not earlier (a clock is behind) gets the life of the millisecond after it
-- ARGV[2]     price of each line
-- ARGV[3…]    user, item, item for each order
--
-- Returns DONE | IN_USE (nothing written)
if redis.call(REPLY.EXISTS, KEYS[1]) == 1 then return REPLY.IN_USE end
local function ms(id) return tonumber(string.sub(id, 1, MINTED.MS_HIGH_END) .. string.sub(id, MINTED.MS_LOW_AT, MINTED.MS_LOW_END), 16) end
local price, arg, moment = tonumber(ARGV[2]), 3, ms(ARGV[1])
local one, two = string.format('1 %.0f', price), string.format('2 %.0f', 2 * price)
for key = 18, #KEYS, 2 do
  local old, life, status, tx = redis.call('GET', KEYS[key]), ARGV[1], nil, nil
  if old and string.byte(old) == RECORD.VERSION then status, tx = struct.unpack('<Bc0Bc0', old, ORDER.STATUS_AT) end
  if status == STATUS.PAID then
    local overwritten = string.match(KEYS[key], '^{%d+}:') .. KEY.OVERWRITTEN
    local lines = redis.call('HGETALL', KEYS[key + 1])
    for line = 1, #lines, 2 do
      redis.call('HINCRBY', overwritten, lines[line], string.match(lines[line + 1], '^%d+'))
    end
  end
  if tx and ms(tx) >= moment then
    local later = ms(tx) + 1
    life = string.format(MINTED.MS_FORMAT, math.floor(later / MINTED.MS_LOW_VALUES), later % MINTED.MS_LOW_VALUES) .. string.sub(life, MINTED.REST_AT)
  end
  local user, NONE = ARGV[arg], 0 / 0
  redis.call('SET', KEYS[key], struct.pack('<BBdddBc0Bc0Bc0B', RECORD.VERSION, ORDER.SIZE_OPEN + #life + #user, 2 * price, NONE, NONE, STATUS.OPEN_LENGTH, STATUS.OPEN,
    #life, life, #user, user, 0) .. life)
  redis.call('DEL', KEYS[key + 1])
  if ARGV[arg + 1] == ARGV[arg + 2] then
    redis.call('HSET', KEYS[key + 1], ARGV[arg + 1], two)
  else
    redis.call('HSET', KEYS[key + 1], ARGV[arg + 1], one, ARGV[arg + 2], one)
  end
  arg = arg + 3
end
return REPLY.DONE
