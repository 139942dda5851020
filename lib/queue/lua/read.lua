#!lua flags=allow-oom
-- read: finds out whether a batch is unacknowledged.
--
-- KEYS   1 the consumer's batches   2 its last sequence number, written as it
--          is: WAIT behind this call is about what was written before, and is
--          to include the batch   3 a key that nobody has
--        4 the number of shards by which its keys are judged, as in register
-- ARGV   1 seq
-- Reply  'taken', when (Unix milliseconds), that number or 0: its list is
--        there, for LRANGE (its right end is the oldest payload); or 'gone':
--        it was acknowledged, whatever list there is

local taken = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not taken then
    return {'gone'}
end
local last = redis.call('GET', KEYS[2])
if last then
    redis.call('SET', KEYS[2], last, 'KEEPTTL')
end
return {'taken', taken, tonumber(redis.call('GET', KEYS[4]) or 0)}
