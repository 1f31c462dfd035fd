#!lua
-- Creates an order with an empty cart.
--
-- KEYS[1]  {p}:order:<id>  record: user, status (open, pending, aborting, paid), tx (the current or last attempt), total;
--                          while and after an attempt: deadline and lease (Unix ms), refusal; life (of a foreign id)
-- ARGV[1]  user
-- ARGV[2]  the first last tx: an id minted at this moment, so that no earlier attempt can begin
--
-- Returns DONE | EXISTS
-- {fields}
if redis.call('EXISTS', KEYS[1]) == 1 then return 'EXISTS' end
set(KEYS[1], 'user', ARGV[1], 'status', 'open', 'tx', ARGV[2], 'total', 0)
return 'DONE'
