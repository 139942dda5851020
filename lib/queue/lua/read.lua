#!lua flags=no-writes
-- read: finds out whether a batch is there, changing nothing.
--
-- KEYS   1 the consumer's batches   2 the batch list
-- ARGV   1 seq
-- Reply  'taken', when (Unix milliseconds): the list is there, for LRANGE
--        (its right end is the oldest payload); or 'gone': it was
--        acknowledged

if redis.call('EXISTS', KEYS[2]) == 0 then
    return {'gone'}
end
return {'taken', redis.call('ZSCORE', KEYS[1], ARGV[1])}
