-- The hour now, by which records of idempotency keys are counted.
local function hour()
  return math.floor(redis.call('TIME')[1] * 1000 / LIMIT.IDEMPOTENCY_COUNTED_MS)
end
