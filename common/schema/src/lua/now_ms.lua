-- @include shortcuts
-- This server's clock, Unix milliseconds.
local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + time[2] / 1000
end
