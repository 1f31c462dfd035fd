#!lua
-- Adds to a user's credit.
--
-- KEYS[1]  {p}:user:<id>  record: credit, held, net
-- ARGV[1]  amount, from 0
-- ARGV[2]  the largest amount: credit + held and net stay within it
--
-- Returns DONE | UNKNOWN | OUT_OF_RANGE | NEWER (a record of a later release)
local record = redis.call('GET', KEYS[1])
if not record then return 'UNKNOWN' end
if string.byte(record) ~= 1 then return 'NEWER' end
local credit, held, net = struct.unpack('<ddd', record, 3)
local amount, max = tonumber(ARGV[1]), tonumber(ARGV[2])
if amount > max - credit - held or amount > max - net then return 'OUT_OF_RANGE' end

redis.call('SETRANGE', KEYS[1], 2, struct.pack('<ddd', credit + amount, held, net + amount))
return 'DONE'
