#!lua flags=no-writes
-- Finds the identity record of any shard on a server that has keys, but not the record that belongs there. Only on a
-- server that has one shard alone: its keys have different tags.
--
-- KEYS  {tag}:identity  hashes: the records that may be there
--
-- Returns the fields and values of the first that is there | { NOT_EMPTY } (none is)
for _, key in ipairs(KEYS) do
  local record = redis.call('HGETALL', key)
  if #record > 0 then return record end
end
return { REPLY.NOT_EMPTY }
