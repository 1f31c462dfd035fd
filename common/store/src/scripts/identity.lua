#!lua flags=allow-oom
-- Reads a shard's identity record; writes it on an empty shard when told to; notes that the data set has grown.
--
-- KEYS[1]  {tag}:identity  hash: data_set, service, shard, tag, founding, schema, currency, members
-- ARGV[1]  `read`, or `write` (then the record is made if the shard is empty)
-- ARGV[2…7]  data_set, service, shard, founding, schema, currency (for `write`)
-- ARGV[8]  members: the number of shards that the data set has now; only ever raised (for `write`)
-- ARGV[9]  tag (for `write`)
--
-- Returns the fields and values of the record | {} (empty shard) | { NOT_EMPTY } (keys, but no record)
local record = redis.call('HGETALL', KEYS[1])
if #record == 0 then
  if redis.call('DBSIZE') > 0 then return { REPLY.NOT_EMPTY } end
  if ARGV[1] == IDENTITY.READ then return {} end
  redis.call('HSET', KEYS[1], IDENTITY.DATA_SET, ARGV[2], IDENTITY.SERVICE, ARGV[3], IDENTITY.SHARD, ARGV[4],
    IDENTITY.FOUNDING, ARGV[5], IDENTITY.SCHEMA, ARGV[6], IDENTITY.CURRENCY, ARGV[7], IDENTITY.MEMBERS, ARGV[8],
    IDENTITY.TAG, ARGV[9])
elseif ARGV[1] == IDENTITY.WRITE and redis.call('HGET', KEYS[1], IDENTITY.DATA_SET) == ARGV[2]
  and tonumber(redis.call('HGET', KEYS[1], IDENTITY.MEMBERS)) < tonumber(ARGV[8]) then
  redis.call('HSET', KEYS[1], IDENTITY.MEMBERS, ARGV[8])
end
return redis.call('HGETALL', KEYS[1])
