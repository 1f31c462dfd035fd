#!lua flags=no-writes
-- Finds carts without an order.
--
-- KEYS  for each order {tag}:order:<id> (record), {tag}:cart:<id> (hash)
--
-- Returns the places, from 1, of those that have a cart and no record
local answer = {}
for place = 1, #KEYS / 2 do
  local has_order = redis.call(REPLY.EXISTS, KEYS[2 * place - 1]) == 1
  if not has_order and redis.call(REPLY.EXISTS, KEYS[2 * place]) == 1 then answer[#answer + 1] = place end
end
return answer
