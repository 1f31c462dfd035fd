-- How many records of idempotency keys there may be at this hour, from the counts of all hours; and the hours that do
-- not count any more.
local function counted(counts, now)
  local all, first = redis.call('HGETALL', counts), now - LIMIT.IDEMPOTENCY_LASTS_MS / LIMIT.IDEMPOTENCY_COUNTED_MS
  local sum, gone = 0, {}
  for at = 1, #all, 2 do
    -- The sum of earlier hours is under a word.
    local of = tonumber(all[at])
    if of and of < first then
      gone[#gone + 1] = all[at]
    elseif of then
      sum = sum + all[at + 1]
    end
  end
  return sum, gone
end
