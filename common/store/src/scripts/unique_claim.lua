#!lua
-- Claims names that only one may have: each for the record that is to carry it, until a deadline.
--
-- KEYS  {tag}:unique:<of>:<name>  hints: see unique.rs of common/schema
-- ARGV  three for each name: the id of the record, a new nonce, and the hint of another id that the caller found stale
--       (it looked at the record after it had seen the hint) or nothing
--
-- Returns for each CLAIMED <deadline> | EXISTS <hint> (another's) | NEWER
--
-- A claim that is not surely over is left alone whoever finds it stale: its record may yet be written.
-- @include now_ms
local now, answers = math.floor(now_ms()), {}

local function claim(key, id, nonce, stale)
  local hint = call('GET', key)
  if hint then
    local version, state, deadline, owner = string.match(hint, '^(%d+) (%a+) %S+ (%d+) (%S+)$')
    if version ~= UNIQUE.VERSION then return REPLY.NEWER end
    local is_over = state == UNIQUE.HELD or now > deadline + LIMIT.CLAIM_GRACE_MS
    if owner ~= id and not (hint == stale and is_over) then return REPLY.EXISTS_WITH .. hint end
  end
  local ends = string.format('%.0f', now + LIMIT.CLAIM_LASTS_MS)
  call('SET', key, table.concat({ UNIQUE.VERSION, UNIQUE.CLAIMED, nonce, ends, id }, ' '))
  return REPLY.CLAIMED_WITH .. ends
end

for place, key in ipairs(KEYS) do answers[place] = claim(key, unpack(ARGV, 3 * place - 2, 3 * place)) end
return answers
