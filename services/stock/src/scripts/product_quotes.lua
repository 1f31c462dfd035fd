#!lua flags=no-writes
-- Reads what a cart needs of products: prices, what can be bought, names.
--
-- KEYS  {tag}:item:<id>, {tag}:product:<id>  of each
--
-- Returns for each { item, status, name }: nil for an item that is not there, `` for what is not there of a document,
-- NEWER as the status of one of a later release
-- @include product_body
local there, answers = call('MGET', unpack(KEYS)), {}
for place = 1, #KEYS / 2 do
  local item, document = there[2 * place - 1], there[2 * place]
  if not document then
    answers[place] = { item, '', '' }
  elseif byte(document) ~= PRODUCT.VERSION then
    answers[place] = { item, REPLY.NEWER, '' }
  else
    local found = described(document, PRODUCT.BODY_AT)
    answers[place] = { item, string.char(found.status), found.name }
  end
end
return answers
