#!lua flags=allow-oom
-- Deletes hints that are stale: the records were looked at after the hints had been seen, and do not carry the names.
--
-- KEYS  {tag}:unique:<of>:<name>  hints: see unique.rs of common/schema
-- ARGV  for each the hint that was seen
--
-- Returns for each DONE (deleted) | CHANGED (another hint, or none) | PENDING (a claim that is not surely over: its record
-- may yet be written)
-- @include now_ms
local now, answers = math.floor(now_ms()), {}
for place, key in ipairs(KEYS) do
  local seen = ARGV[place]
  local state, deadline = string.match(seen, '^%d+ (%a+) %S+ (%d+) ')
  if call('GET', key) ~= seen then
    answers[place] = REPLY.CHANGED
  elseif state == UNIQUE.CLAIMED and now <= deadline + LIMIT.CLAIM_GRACE_MS then
    answers[place] = REPLY.PENDING
  else
    call('DEL', key)
    answers[place] = REPLY.DONE
  end
end
return answers
