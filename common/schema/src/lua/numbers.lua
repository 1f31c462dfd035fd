-- @include shortcuts
-- A text of doubles as a list; behind the last of them is one number more.
local function numbers(text) return { read('<' .. string.rep('d', #text / RECORD.NUMBER_SIZE), text) } end
