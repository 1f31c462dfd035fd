#!lua
-- Adds units of an item to an open order's cart, at the price quoted now.
--
-- KEYS[1]  {tag}:order:<id>  record: status, total
-- KEYS[2]  {tag}:cart:<id>   hash: item -> units and the sum quoted for them
-- ARGV[1]  item
-- ARGV[2]  units, at least 1
-- ARGV[3]  price of one
-- ARGV[4]  the most lines a cart has
-- ARGV[5]  the largest amount: units of a line and the total stay within it
--
-- Returns DONE | UNKNOWN | PENDING | PAID | TOO_LARGE | OUT_OF_RANGE | NEWER (a record of a later release)
local order = redis.call('GET', KEYS[1])
if not order then return REPLY.UNKNOWN end
if string.byte(order) ~= RECORD.VERSION then return REPLY.NEWER end
local total, status = struct.unpack('<d', order, ORDER.TOTAL_AT), struct.unpack('<Bc0', order, ORDER.STATUS_AT)
if status == STATUS.PAID then return REPLY.PAID end
if status ~= STATUS.OPEN then return REPLY.PENDING end

local units, max = tonumber(ARGV[2]), tonumber(ARGV[5])
local line = redis.call('HGET', KEYS[2], ARGV[1])
local had, sum = string.match(line or CART.NO_UNITS, CART.LINE_PATTERN)
-- A product beyond 2^53 is rounded, but never to within the range again.
local cost = units * tonumber(ARGV[3])
if not line and redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[4]) then return REPLY.TOO_LARGE end
if units > max - had or cost > max - total then return REPLY.OUT_OF_RANGE end

redis.call('HSET', KEYS[2], ARGV[1], string.format(CART.LINE_FORMAT, had + units, sum + cost))
redis.call('SETRANGE', KEYS[1], ORDER.TOTAL_OFFSET, struct.pack('<d', total + cost))
return REPLY.DONE
