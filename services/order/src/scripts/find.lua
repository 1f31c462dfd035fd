#!lua flags=no-writes
-- Reads an order and its cart at one moment.
--
-- KEYS[1]  {tag}:order:<id>  record: user, status, total
-- KEYS[2]  {tag}:cart:<id>   hash: item -> units and the sum quoted for them
--
-- Returns { UNKNOWN } | { NEWER } | { status, user, total, item, line, item, line, … }
local order = redis.call('GET', KEYS[1])
if not order then return { REPLY.UNKNOWN } end
if string.byte(order) ~= RECORD.VERSION then return { REPLY.NEWER } end
local total = struct.unpack('<d', order, ORDER.TOTAL_AT)
local status, _, user = struct.unpack('<Bc0Bc0Bc0', order, ORDER.STATUS_AT)
return { status, user, string.format('%.0f', total), unpack(redis.call('HGETALL', KEYS[2])) }
