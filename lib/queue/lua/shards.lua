#!lua flags=allow-oom
-- shards: how many shards a queue has, or the one whose shard it is; for ever.
--
-- KEYS   1 the number of shards   2 the version of the queue's keys
-- ARGV   1 the number to be noted if none is decided, 0: just look
-- Reply  the number; 0 if none is decided
--
-- Not decided: there is no number and no version, or the number is 0.  A
-- release before noted a version and no number, and knew no shards: so its
-- queue has one.  register, which also notes a version, notes a 0 with it, so
-- that consumers may be there before the first publisher.  What other programs
-- push decides nothing.
--
-- Repeated, or late from an old connection: it notes what is noted, or what
-- the first publisher was told, if that has gone since then.

local shards, version = unpack(KEYS)
local told = ARGV[1]

local was = redis.call('GET', shards)
local noted = was
if not noted and redis.call('EXISTS', version) == 1 then
    noted = '1'
end
if told ~= '0' and (not noted or noted == '0') then
    noted = told
end
if told ~= '0' and noted ~= was then
    redis.call('SET', shards, noted)
end
return noted or '0'
