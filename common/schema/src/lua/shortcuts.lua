-- Short names of what scripts call for every attempt.
local call, read, pack, byte, sub = redis.call, struct.unpack, struct.pack, string.byte, string.sub
