-- @include shortcuts
-- @include known
-- The tombstones of those attempts for which nothing is held.
local function tombstones_of(txs, held)
  local unheld, places, found = {}, {}, {}
  for place = 1, #txs do
    if not held[place] then
      unheld[#unheld + 1] = txs[place]
      places[#places + 1] = place
    end
  end
  if #unheld > 0 then
    for at, answer in ipairs(call('HMGET', KEYS[2], unpack(unheld))) do
      found[places[at]] = answer and known(answer)
    end
  end
  return found
end
