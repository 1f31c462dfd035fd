#!lua flags=no-writes
-- Reads all that a shard holds, with the hashes that it concerns, at one moment.
--
-- KEYS[1…16]  {p}:held  sorted sets: tx -> deadline, for all that each partition holds
-- KEYS[17…]   other hashes to read
-- ARGV        fields of the hashes
--
-- Returns { 'set <place>', tx, record } for each reservation that a partition lists (the record is nil if there is none),
-- then { key, value, value, … } for each hash that a record names or that was asked for
--
-- The records' keys are made from their partition, and the hashes' keys come from the records: they were passed as keys
-- when these were written, and are on this shard.
local answer, seen, keys = {}, {}, {}
local function read(key)
  if not seen[key] then
    seen[key] = true
    keys[#keys + 1] = key
  end
end
for set = 1, 16 do
  local record_key = string.sub(KEYS[set], 1, -5) .. 'tx:'
  for _, tx in ipairs(redis.call('ZRANGE', KEYS[set], 0, -1)) do
    local record = redis.call('GET', record_key .. tx)
    answer[#answer + 1] = { 'set ' .. set, tx, record }
    for key in string.gmatch(record or '', ' ({%d+}:%S+)') do read(key) end
  end
end
for place = 17, #KEYS do read(KEYS[place]) end
for _, key in ipairs(keys) do
  answer[#answer + 1] = { key, unpack(redis.call('HMGET', key, unpack(ARGV)), 1, #ARGV) }
end
return answer
