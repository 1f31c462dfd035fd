#!lua flags=no-writes
-- Counts the records of idempotency keys on a shard; it may be an hour late in seeing them go.
--
-- KEYS[1]  {tag}:keyed  hash: hour -> the records made in it; the sum of all hours before the newest
--
-- Returns their number, as a word
-- @include hour
-- @include counted
return string.format('%.0f', (counted(KEYS[1], hour())))
