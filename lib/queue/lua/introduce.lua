#!lua flags=allow-oom
-- introduce: makes the key of a publisher, which has published nothing yet.
--
-- KEYS   1 the publisher's key   2 the version of the queue's keys
--        3 how many replicas must have what counts
-- ARGV   1 its life, seconds   2 the version, noted if none is
--        3 replicas, noted if fewer are; '' not told
-- Reply  1 it was made, or 0 it was there before: nothing done; then the Unix
--        millisecond, by Redis's clock
--
-- Once per id: whoever gets no answer takes another id, so that this, late
-- from an old connection, makes a key that nobody uses and that expires.
-- Allowed at maxmemory: it is small, and publish says which lines are refused.

redis.call('SET', KEYS[2], ARGV[2], 'NX')
local noted = tonumber(redis.call('GET', KEYS[3]))
if ARGV[3] ~= '' and (not noted or noted < tonumber(ARGV[3])) then
    redis.call('SET', KEYS[3], ARGV[3])
end
local done = redis.call('SET', KEYS[1], 0, 'NX', 'EX', ARGV[1])
local time = redis.call('TIME')
return {done and 1 or 0, time[1] * 1000 + math.floor(time[2] / 1000)}
