#!lua
-- Creates or changes products of one shard: the document, the item (its price; an item that is not there gets no stock)
-- and all entries in the indexes. One product after the other, as if each had a call of its own.
--
-- KEYS[1…2n]    {tag}:item:<id>, {tag}:product:<id>  of each product; each product once
-- KEYS[2n+1…4]  {tag}:products, {tag}:products:new, {tag}:words, {tag}:tag  the indexes; the key of a tag goes on `:<tag>`
-- ARGV[1]       doubles, four for each: the revision that it has (0: there is no document); until when this may be
--               written (Unix ms; 0: for ever), the deadline of a claim of its handle; price (not a number: as it is);
--               when it was created (Unix ms; 0: now)
-- ARGV[2…]      the body of each: see product.rs of common/schema
--
-- Returns DONE (the revision is one higher) | EXISTS (there is a document) | CHANGED (another revision) | EXPIRED | UNKNOWN
-- (no item, and no price) | NEWER for each, or one for all of them
--
-- The stock of an item is never touched. An item without a document is one of the legacy API: it may get one. Everything
-- is read before anything is written. The keys of old tags come from the document: they are on this shard.
-- @include numbers
-- @include now_ms
-- @include told
-- @include product_entries
local count = (#KEYS - 4) / 2
local indexes = { unpack(KEYS, 2 * count + 1) }
local wanted, now = numbers(ARGV[1]), math.floor(now_ms())
local there = call('MGET', unpack(KEYS, 1, 2 * count))
local records, added, removed = {}, {}, {}

local function note(lists, key, ...)
  lists[key] = lists[key] or {}
  for _, value in ipairs({ ... }) do lists[key][#lists[key] + 1] = value end
end

-- Notes by which entries the second list differs from the first.
local function compare(old, new)
  local stays, was = {}, {}
  for at = 1, #old, 2 do was[old[at] .. '\0' .. old[at + 1]] = true end
  for at = 1, #new, 2 do
    local entry = new[at] .. '\0' .. new[at + 1]
    stays[entry] = true
    if not was[entry] then note(added, new[at], 0, new[at + 1]) end
  end
  for at = 1, #old, 2 do
    if not stays[old[at] .. '\0' .. old[at + 1]] then note(removed, old[at], old[at + 1]) end
  end
end

local function with_price(item, price)
  if item then return sub(item, 1, ITEM.PRICE_OFFSET) .. pack('<d', price) .. sub(item, ITEM.INCARNATION_AT) end
  return pack('<BBddddd', RECORD.VERSION, ITEM.SIZE, 0, 0, 0, 0 / 0, price)
end

local function put(place)
  local item, document = there[2 * place - 1], there[2 * place]
  local expected, deadline, price, created = unpack(wanted, 4 * place - 3, 4 * place)
  local is_newer = item and byte(item) ~= RECORD.VERSION or document and byte(document) ~= PRODUCT.VERSION
  if is_newer then return REPLY.NEWER end
  local revision, old = 0, {}
  local id = string.match(KEYS[2 * place], '[^:]*$')
  if document then revision = read('<d', document, PRODUCT.REVISION_AT) end
  if expected ~= revision then return expected == 0 and REPLY.EXISTS or REPLY.CHANGED end
  if deadline > 0 and now > deadline then return REPLY.EXPIRED end
  if not item and price ~= price then return REPLY.UNKNOWN end
  if document then
    created = read('<d', document, PRODUCT.CREATED_AT)
    old = entries(indexes, id, created, described(document, PRODUCT.BODY_AT))
  elseif created == 0 then
    created = now
  end
  local body = ARGV[1 + place]
  compare(old, entries(indexes, id, created, described(body, 1)))
  records[#records + 1] = KEYS[2 * place]
  records[#records + 1] = pack('<Bddd', PRODUCT.VERSION, revision + 1, created, now) .. body
  if price == price then
    records[#records + 1] = KEYS[2 * place - 1]
    records[#records + 1] = with_price(item, price)
  end
  return REPLY.DONE
end

local answers = {}
for place = 1, count do answers[place] = put(place) end
if #records > 0 then call('MSET', unpack(records)) end
for key, members in pairs(removed) do call('ZREM', key, unpack(members)) end
for key, members in pairs(added) do call('ZADD', key, unpack(members)) end
return told(answers)
