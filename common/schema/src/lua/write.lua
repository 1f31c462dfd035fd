-- @include shortcuts
-- How a participant's script ends: writes records (key, value, …), makes, changes and ends reservations in KEYS[1] and
-- leaves tombstones in KEYS[2] that last until `ends`.
local function write(records, kept, gone, tombstones, ends)
  if #records > 0 then call('MSET', unpack(records)) end
  if #kept > 0 then call('HSET', KEYS[1], unpack(kept)) end
  if #gone > 0 then call('HDEL', KEYS[1], unpack(gone)) end
  if #tombstones > 0 then
    call('HSET', KEYS[2], unpack(tombstones))
    call('PEXPIREAT', KEYS[2], ends)
  end
end
