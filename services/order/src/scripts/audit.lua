#!lua flags=no-writes
-- Reads orders for the audit, each with its cart and its place in flight, at one moment.
--
-- KEYS  for each order {tag}:order:<id> (record: status, tx, user, total, incarnation), {tag}:cart:<id> (hash: item ->
--       units and the sum quoted for them), {tag}:inflight (sorted set: an order's key -> when recovery looks at it)
--
-- Returns for each { status, tx, user, total, incarnation, v, due, item, line, item, line, … }: nil for what is not
-- there, `?` for what cannot be read; due is not looked up for an open order
-- @include legible
local answer = {}
for place = 1, #KEYS / 3 do
  local order = legible(KEYS[3 * place - 2],
    ORDER.STATUS, ORDER.TX, ORDER.USER, ORDER.TOTAL, RECORD.INCARNATION, RECORD.V)
  order[7] = order[1] and order[1] ~= STATUS.OPEN and redis.call('ZSCORE', KEYS[3 * place], KEYS[3 * place - 2])
  local cart = redis.call('HGETALL', KEYS[3 * place - 1])
  for field = 1, #cart do order[field + 7] = cart[field] end
  answer[place] = order
end
return answer
