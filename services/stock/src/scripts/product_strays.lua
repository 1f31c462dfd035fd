#!lua flags=no-writes
-- Finds entries of an index that no document has, at one moment.
--
-- KEYS[1]    the index: {tag}:products, {tag}:products:new, {tag}:tag:<tag> or {tag}:words
-- KEYS[2]    {tag}:product  the beginning of the key of each document
-- KEYS[3…6]  {tag}:products, {tag}:products:new, {tag}:words, {tag}:tag  the indexes
-- ARGV[1]    where to begin, as ZRANGEBYLEX takes it
-- ARGV[2]    how many entries are looked at
--
-- Returns { the last entry, or nothing if there are no more, the ids of strays … }
--
-- A document that this release cannot read may have any entry. The keys come from the index: they are on this shard.
-- @include product_entries
local indexes = { unpack(KEYS, 3) }
local found = call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
local answer = { #found == tonumber(ARGV[2]) and found[#found] or '' }

local function has(document, id, entry)
  local created = read('<d', document, PRODUCT.CREATED_AT)
  local list = entries(indexes, id, created, described(document, PRODUCT.BODY_AT))
  for at = 1, #list, 2 do
    if list[at] == KEYS[1] and list[at + 1] == entry then return true end
  end
  return false
end

for _, entry in ipairs(found) do
  local id = string.match(entry, '[^%z]*$')
  local document = call('GET', KEYS[2] .. ':' .. id)
  local is_read, is_there = true, false
  if document and byte(document) == PRODUCT.VERSION then is_read, is_there = pcall(has, document, id, entry) end
  local is_newer = document and byte(document) ~= PRODUCT.VERSION
  if not is_newer and is_read and not is_there then answer[#answer + 1] = id end
end
return answer
