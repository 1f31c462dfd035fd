-- @include product_body
-- The entries that a product has in the indexes: their keys and members, in turn. `indexes` are the keys of the four; the
-- last is the beginning of the key of each tag. Its keys are on the same shard.
local function entries(indexes, id, created, found)
  if found.status ~= PRODUCT.ACTIVE then return {} end
  local behind = '\0' .. id
  local by_name, moment = found.sort_name .. behind, string.format(PRODUCT.MOMENT_FORMAT, created)
  local list = { indexes[1], by_name, indexes[2], moment .. behind }
  for _, tag in ipairs(found.tags) do
    list[#list + 1] = indexes[4] .. ':' .. tag
    list[#list + 1] = by_name
  end
  for _, word in ipairs(found.words) do
    list[#list + 1] = indexes[3]
    list[#list + 1] = word .. behind
  end
  return list
end
