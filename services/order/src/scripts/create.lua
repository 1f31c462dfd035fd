#!lua
-- Creates an order with an empty cart.
--
-- KEYS[1]  {tag}:order:<id>  record: user, status (open, pending, aborting, paid), tx (the current or last attempt),
--                            total;
--                          while and after an attempt: deadline and lease (Unix ms), refusal; incarnation (of a foreign
--                          id)
-- ARGV[1]  user
-- ARGV[2]  the first last tx: an id minted at this moment, so that no earlier attempt can begin
--
-- Returns DONE | EXISTS
local user, tx, NONE = ARGV[1], ARGV[2], 0 / 0
local record = struct.pack('<BBdddBc0Bc0Bc0B', RECORD.VERSION, ORDER.SIZE_OPEN + #tx + #user, 0, NONE, NONE,
  STATUS.OPEN_LENGTH, STATUS.OPEN, #tx, tx, #user, user, 0)
return redis.call('SET', KEYS[1], record, 'NX') and REPLY.DONE or REPLY.EXISTS
