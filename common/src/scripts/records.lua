#!lua flags=no-writes
-- Reads the records of attempts, and whether each that is held is listed as held.
--
-- KEYS  for each attempt {p}:tx:<tx> (string: version, state, …) and {p}:held (sorted set: tx -> deadline)
-- ARGV  for each attempt its tx
--
-- Returns for each { record, deadline }: nil for a record that is not there, and for what is not listed, or not held
local answer = {}
for place, tx in ipairs(ARGV) do
  local record = redis.call('GET', KEYS[2 * place - 1])
  local is_held = record and string.match(record, '^%S+ HELD ')
  answer[place] = { record, is_held and redis.call('ZSCORE', KEYS[2 * place], tx) }
end
return answer
