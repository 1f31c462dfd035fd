#!lua
-- Creates a user, without credit.
--
-- KEYS[1]  {p}:user:<id>  record: credit (can be spent now), held (in undecided attempts), net (funded minus paid directly)
--
-- Returns DONE | EXISTS
-- {fields}
if redis.call('EXISTS', KEYS[1]) == 1 then return 'EXISTS' end
set(KEYS[1], 'credit', 0, 'held', 0, 'net', 0)
return 'DONE'
