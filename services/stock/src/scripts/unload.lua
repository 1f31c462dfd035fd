#!lua flags=allow-oom
-- Removes items of one shard that a bulk load has written, while nothing is held on it.
--
-- KEYS[1]     {tag}:held       hash: what is held on the shard
-- KEYS[2…]    {tag}:item:<id> (record: stock, held, net, before) and {tag}:product:<id> in turn, two for each item
--
-- Returns DONE | IN_USE (nothing removed)
--
-- An item that was sold in any incarnation stays, with no stock: its `before` is what the audit needs. One that has the
-- document of a product stays so, too. Written anew it is as long as it was, so this only ever frees memory. Without an
-- incarnation an item is none that was loaded.
if redis.call(REPLY.EXISTS, KEYS[1]) == 1 then return REPLY.IN_USE end
for item = 2, #KEYS, 2 do
  local old = redis.call('GET', KEYS[item])
  if old and string.byte(old) == RECORD.VERSION and #old > ITEM.SIZE then
    local here, held, net, before = struct.unpack('<dddd', old, ITEM.STOCK_AT)
    local sold = net - here - held + (before == before and before or 0)
    if sold == 0 and redis.call(REPLY.EXISTS, KEYS[item + 1]) == 0 then
      redis.call('DEL', KEYS[item])
    elseif here ~= 0 or net ~= 0 then
      if sold == 0 then sold = 0 / 0 end
      redis.call('SETRANGE', KEYS[item], ITEM.STOCK_OFFSET, struct.pack('<dddd', 0, 0, 0, sold))
    end
  end
end
return REPLY.DONE
