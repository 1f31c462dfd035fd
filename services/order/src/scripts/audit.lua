#!lua flags=no-writes
-- Reads orders for the audit, each with its cart and its place in flight, at one moment.
--
-- KEYS  for each order {tag}:order:<id> (record), {tag}:cart:<id> (hash: item -> units and the sum quoted for them),
--       {tag}:inflight (sorted set: an order's key -> when recovery looks at it)
--
-- Returns for each { bytes, due, item, line, item, line, … }: the bytes of the record, nil if there is none, none for a
-- key of another type; due is nil for an order that is not in flight. A cart that is no hash has half a line
-- @include bytes
local answer = {}
for place = 1, #KEYS / 3 do
  local key = KEYS[3 * place - 2]
  local order = { bytes(key), redis.call('ZSCORE', KEYS[3 * place], key) }
  local cart = redis.pcall('HGETALL', KEYS[3 * place - 1])
  if cart.err then cart = { '' } end
  for field = 1, #cart do order[field + 2] = cart[field] end
  answer[place] = order
end
return answer
