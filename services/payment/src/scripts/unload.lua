#!lua flags=allow-oom
-- Removes users of one shard that a bulk load has written, while nothing is held on it.
--
-- KEYS[1]     {tag}:held       hash: what is held on the shard
-- KEYS[2…]    {tag}:user:<id>  records
--
-- Returns DONE | IN_USE (nothing removed)
--
-- Their payments stay, as when a load overwrites the users: each names the incarnation of the user that it is of.
-- Without an incarnation a user is none that was loaded.
if redis.call(REPLY.EXISTS, KEYS[1]) == 1 then return REPLY.IN_USE end
for user = 2, #KEYS do
  local old = redis.call('GET', KEYS[user])
  if old and string.byte(old) == RECORD.VERSION and #old > USER.SIZE then redis.call('DEL', KEYS[user]) end
end
return REPLY.DONE
