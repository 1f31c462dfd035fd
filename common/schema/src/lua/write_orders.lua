-- @include shortcuts
-- Writes orders: their records, by key.
local function write_orders(records)
  local changes = {}
  for key, record in pairs(records) do
    changes[#changes + 1] = key
    changes[#changes + 1] = record
  end
  if #changes > 0 then call('MSET', unpack(changes)) end
end
