#!lua flags=no-writes
-- read: a batch as it is, changing nothing.
--
-- KEYS   1 the consumer's batches   2 the batch list
-- ARGV   1 seq
-- Reply  'taken', when (Unix milliseconds), the list (its right end is the
--        oldest payload); or 'gone': it was acknowledged

local payloads = redis.call('LRANGE', KEYS[2], 0, -1)
if #payloads == 0 then
    return {'gone'}
end
return {'taken', redis.call('ZSCORE', KEYS[1], ARGV[1]), payloads}
