#!lua flags=no-writes
-- Reads what a participant's shard has on record of an attempt.
--
-- KEYS[1]   {tag}:held            hash: tx -> what is held for it (see reservation_record.rs of common/schema)
-- KEYS[2…]  {tag}:ended:<second>  hashes: tx -> the answer that it has got for good
-- ARGV[1]   tx
--
-- Returns { the answer, what is held }: nil for what is not there
local held, answer = redis.call('HGET', KEYS[1], ARGV[1]), false
for place = 2, #KEYS do answer = answer or redis.call('HGET', KEYS[place], ARGV[1]) end
return { answer, held }
