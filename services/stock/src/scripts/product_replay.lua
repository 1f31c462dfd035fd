#!lua flags=no-writes
-- Finds nothing to do: run with an idempotency key, it tells whether something was done for that key before.
--
-- KEYS[1]  {tag}:item:<id>  record: incarnation
--
-- Returns NONE, if there is no record of the key
return REPLY.NONE
