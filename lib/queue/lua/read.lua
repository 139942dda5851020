#!lua flags=no-writes
-- read: finds out whether a batch is unacknowledged, changing nothing.
--
-- KEYS   1 the consumer's batches
-- ARGV   1 seq
-- Reply  'taken', when (Unix milliseconds): its list is there, for LRANGE
--        (its right end is the oldest payload); or 'gone': it was
--        acknowledged, whatever list there is

local taken = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not taken then
    return {'gone'}
end
return {'taken', taken}
