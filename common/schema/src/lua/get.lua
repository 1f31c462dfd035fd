-- What lies under a key, for those who only look, and go on whatever they meet: false if nothing does, a table for a
-- key of another type, which no record is. Any other error is the script's own: on a cluster, a key of another shard.
local function get(key)
  local bytes = redis.pcall('GET', key)
  local err = type(bytes) == 'table' and bytes.err
  if err and not string.find(err, '^WRONGTYPE') then error(err) end
  return bytes
end
