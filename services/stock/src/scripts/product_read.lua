#!lua flags=no-writes
-- Reads products.
--
-- KEYS  {tag}:item:<id>, {tag}:product:<id>  of each
--
-- Returns for each { item, document }: nil for what is not there
local there, answers = redis.call('MGET', unpack(KEYS)), {}
for place = 1, #KEYS / 2 do answers[place] = { there[2 * place - 1], there[2 * place] } end
return answers
