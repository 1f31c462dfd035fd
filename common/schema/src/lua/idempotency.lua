-- Makes a script safe to repeat: what it did for a key once, it does not do again for a day. This is put around a
-- script (`Script::once` in common/store/src/script.rs) when a key is given; without one, the script runs as it stands
-- in its file.
--
-- KEYS[1]     the record that the script changes: incarnation (empty if its id is never given twice)
-- KEYS[last]  {tag}:key:<digest>  string: version, incarnation, digest of the request, answer (`-` if there is none)
-- KEYS[last but one]  {tag}:keyed  hash: hour -> the records made in it; the sum of all hours before the newest
-- ARGV[1]     the digest of the request, as its client sent it
-- ARGV[2]     the answer to be given again: the new id, or `-`
-- ARGV[3]     the incarnation of the order that a payment is for (see pay.lua), otherwise empty
-- ARGV[4]     how many records the shard has at most; empty for what moves money, which is carried out beyond it
-- Other keys and arguments are the script's.
--
-- Returns what the script answers; DONE is kept, and of { DONE, <answer> } the answer that it computed: a text, which
-- takes the place of ARGV[2] (one that is longer than LIMIT.IDEMPOTENCY_ANSWER_MAX does not) | REPLAYED <answer> (DONE
-- before, and not again) | REUSED (the key came with another request) | TOO_MANY_KEYS (nothing was done)
-- | NEWER (a record of a later release)
--
-- The record is looked at before anything else: a repeat must get the first answer, whatever has changed since.
--
-- The records of an hour count until all of them have gone: a day after its end. So the sum is never too low.
local record, counts = table.remove(KEYS), table.remove(KEYS)
local request, answer, order = table.remove(ARGV, 1), table.remove(ARGV, 1), table.remove(ARGV, 1)
local max = tonumber(table.remove(ARGV, 1))
local target = redis.call('GET', KEYS[1])
local of_target = target and string.sub(target, string.byte(target, RECORD.INCARNATION_PLACE_AT) + 1) or ''
local mine = of_target .. INCARNATION.SEPARATOR

local done = redis.call('GET', record)
if done then
  local version, incarnation, first_request, first_answer = string.match(done, '^(%d+) ?(%S*) ?(%S*) ?(.*)$')
  if version ~= IDEMPOTENCY.VERSION then return REPLY.NEWER end
  -- What was done in another incarnation of an id is not done in this one. What is gone has no other incarnation.
  local same = incarnation == mine .. order or order == INCARNATION.ANY and string.sub(incarnation, 1, #mine) == mine
  if same or not target then
    if first_request ~= request then return REPLY.REUSED end
    return { REPLY.REPLAYED, first_answer }
  end
end

-- @include hour
-- @include counted
local now, gone = hour(), {}
local made, earlier = unpack(redis.call('HMGET', counts, now, IDEMPOTENCY.EARLIER))
if not made then earlier, gone = counted(counts, now) end
if max and (made or 0) + (earlier or 0) >= max then return REPLY.TOO_MANY_KEYS end

local function run()
-- @include script
end

local reply = run()
local is_list = type(reply) == 'table'
if (is_list and reply[1] or reply) == REPLY.DONE then
  local computed = is_list and reply[2]
  if type(computed) == 'string' and #computed <= LIMIT.IDEMPOTENCY_ANSWER_MAX then answer = computed end
  local incarnation = mine .. (order == INCARNATION.ANY and '' or order)
  local kept = table.concat({ IDEMPOTENCY.VERSION, incarnation, request, answer }, ' ')
  redis.call('SET', record, kept, 'PX', LIMIT.IDEMPOTENCY_LASTS_MS)
  if made then
    redis.call('HINCRBY', counts, now, 1)
  else
    if #gone > 0 then redis.call('HDEL', counts, unpack(gone)) end
    redis.call('HSET', counts, now, 1, IDEMPOTENCY.EARLIER, earlier)
    redis.call('PEXPIREAT', counts, string.format('%.0f',
      (now + 1) * LIMIT.IDEMPOTENCY_COUNTED_MS + LIMIT.IDEMPOTENCY_LASTS_MS))
  end
end
return reply
