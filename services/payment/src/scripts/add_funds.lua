#!lua
-- Adds to a user's credit.
--
-- KEYS[1]  {tag}:user:<id>  record: credit, held, net
-- ARGV[1]  amount, from 0
-- ARGV[2]  the largest amount: credit + held and net stay within it
--
-- Returns DONE | UNKNOWN | OUT_OF_RANGE | NEWER (a record of a later release)
local record = redis.call('GET', KEYS[1])
if not record then return REPLY.UNKNOWN end
if string.byte(record) ~= RECORD.VERSION then return REPLY.NEWER end
local credit, held, net = struct.unpack('<ddd', record, USER.CREDIT_AT)
local amount, max = tonumber(ARGV[1]), tonumber(ARGV[2])
if amount > max - credit - held or amount > max - net then return REPLY.OUT_OF_RANGE end

redis.call('SETRANGE', KEYS[1], USER.CREDIT_OFFSET, struct.pack('<ddd', credit + amount, held, net + amount))
return REPLY.DONE
