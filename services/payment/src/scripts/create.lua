#!lua
-- Creates a user, without credit.
--
-- KEYS[1]  {tag}:user:<id>  record: credit (can be spent now), held (in undecided attempts), net (funded minus paid
--                           directly)
--
-- Returns DONE | EXISTS
local record = struct.pack('<BBdddd', RECORD.VERSION, USER.SIZE, 0, 0, 0, 0 / 0)
return redis.call('SET', KEYS[1], record, 'NX') and REPLY.DONE or REPLY.EXISTS
