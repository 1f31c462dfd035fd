#!lua
-- Creates an item, without stock.
--
-- KEYS[1]  {p}:item:<id>  record: price, stock (can be bought now), held (in undecided attempts), net (added minus taken out directly)
-- ARGV[1]  price
--
-- Returns DONE | EXISTS
-- {fields}
if redis.call('EXISTS', KEYS[1]) == 1 then return 'EXISTS' end
set(KEYS[1], 'price', ARGV[1], 'stock', 0, 'held', 0, 'net', 0)
return 'DONE'
