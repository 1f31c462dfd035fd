#!lua flags=no-writes
-- Reads a part of a page of products from an index of one shard.
--
-- KEYS[1]   the index: {tag}:products, {tag}:products:new, {tag}:tag:<tag> or {tag}:words
-- KEYS[2]   {tag}:product  the beginning of the key of each document
-- KEYS[3]   {tag}:item     the beginning of the key of each item
-- ARGV[1]   ZRANGEBYLEX, or ZREVRANGEBYLEX (backwards)
-- ARGV[2,3] where to begin and end, as these commands take it
-- ARGV[4]   how many products are wanted
-- ARGV[5]   how many entries are looked at, as many or more
-- ARGV[6]   the beginning of the words that are walked, if these are walked; otherwise empty
-- ARGV[7]   a tag that all have, or empty
-- ARGV[8…]  other beginnings of words that all have
--
-- Returns { `more` (there may be more entries) or `end`, the last entry that was looked at, then for each
-- product its entry, document and item } as texts; nil for an item that is not there
--
-- A product with several words that begin as is walked appears at the first of them alone. A document of a later release
-- appears whatever is asked for. The keys come from the index: they are on this shard.
-- @include product_body
local limit, looks, walked, tag = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]

local function first_with(words, start)
  for _, word in ipairs(words) do
    if sub(word, 1, #start) == start then return word end
  end
end

local function is_among(list, wanted)
  for _, text in ipairs(list) do
    if text == wanted then return true end
  end
  return false
end

local function is_wanted(found, entry)
  if found.status ~= PRODUCT.ACTIVE then return false end
  if walked ~= '' and first_with(found.words, walked) ~= string.match(entry, '^[^%z]*') then return false end
  if tag ~= '' and not is_among(found.tags, tag) then return false end
  for place = 8, #ARGV do
    if not first_with(found.words, ARGV[place]) then return false end
  end
  return true
end

local found = call(ARGV[1], KEYS[1], ARGV[2], ARGV[3], 'LIMIT', 0, looks)
local answer, size, last = { '', '' }, 0, 0
for place, entry in ipairs(found) do
  if #answer >= 2 + 3 * limit or size > LIMIT.PAGE_BYTES_MAX then break end
  last = place
  local id = string.match(entry, '[^%z]*$')
  local document = call('GET', KEYS[2] .. ':' .. id)
  if document and (byte(document) ~= PRODUCT.VERSION or is_wanted(described(document, PRODUCT.BODY_AT), entry)) then
    answer[#answer + 1] = entry
    answer[#answer + 1] = document
    answer[#answer + 1] = call('GET', KEYS[3] .. ':' .. id)
    size = size + #document
  end
end
answer[1] = (last < #found or #found == looks) and 'more' or 'end'
answer[2] = found[last] or ''
return answer
