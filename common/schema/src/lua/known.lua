-- @include shortcuts
-- What a tombstone says; those of a later release begin with a number.
local function known(answer) return byte(answer) >= TOMBSTONE.LETTERS_FROM and answer or REPLY.NEWER end
