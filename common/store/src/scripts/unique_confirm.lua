#!lua flags=allow-oom
-- Confirms claims: their records were seen with the names.
--
-- KEYS  {tag}:unique:<of>:<name>  hints: see unique.rs of common/schema
-- ARGV  for each the claim that was seen, or made, before the record was
--
-- Returns for each DONE (held, now or before) | CHANGED (there is no such claim any more)
-- @include shortcuts
local answers = {}
for place, key in ipairs(KEYS) do
  local seen = ARGV[place]
  local held = string.gsub(seen, '^(%d+) %a+', '%1 ' .. UNIQUE.HELD)
  local hint = call('GET', key)
  if hint == seen then call('SET', key, held) end
  answers[place] = (hint == seen or hint == held) and REPLY.DONE or REPLY.CHANGED
end
return answers
