-- @include shortcuts
-- The milliseconds with which a minted id begins. They are compared as numbers: text compares as the locale of the
-- server says.
local function minted_ms(id)
  return tonumber(sub(id, 1, MINTED.MS_HIGH_END) .. sub(id, MINTED.MS_LOW_AT, MINTED.MS_LOW_END), 16)
end
