#!lua flags=no-writes
-- Compares documents of products with their items and with the indexes of their shard, at one moment.
--
-- KEYS[1…2n]    {tag}:item:<id>, {tag}:product:<id>  of each product
-- KEYS[2n+1…4]  {tag}:products, {tag}:products:new, {tag}:words, {tag}:tag  the indexes; the key of a tag goes on `:<tag>`
--
-- Returns for each {} (there is no document) | { NEWER } | { UNKNOWN } (it cannot be read) | { DONE, its revision, handle,
-- 1 if there is an item and otherwise 0, how many entries it has to have, how many of them are there }
--
-- The keys of tags come from documents: they are on this shard.
-- @include product_entries
local count = (#KEYS - 4) / 2
local indexes = { unpack(KEYS, 2 * count + 1) }
local there, answers = call('MGET', unpack(KEYS, 1, 2 * count)), {}

local function look(place)
  local item, document = there[2 * place - 1], there[2 * place]
  local found = described(document, PRODUCT.BODY_AT)
  local revision, created = read('<dd', document, PRODUCT.REVISION_AT)
  local list = entries(indexes, string.match(KEYS[2 * place], '[^:]*$'), created, found)
  local listed = 0
  for at = 1, #list, 2 do
    if call('ZSCORE', list[at], list[at + 1]) then listed = listed + 1 end
  end
  local text = function(number) return string.format('%.0f', number) end
  return { REPLY.DONE, text(revision), found.handle, text(item and 1 or 0), text(#list / 2), text(listed) }
end

for place = 1, count do
  local document = there[2 * place]
  if not document then
    answers[place] = {}
  elseif byte(document) ~= PRODUCT.VERSION then
    answers[place] = { REPLY.NEWER }
  else
    local is_read, answer = pcall(look, place)
    answers[place] = is_read and answer or { REPLY.UNKNOWN }
  end
end
return answers
