#!lua flags=no-writes
-- measure: the lengths of a queue's lists, changing nothing.
--
-- KEYS   1 the ready list   2 the rejected list   3 the set of consumers
-- ARGV   1 what a consumer's keys begin with
-- Reply  payloads ready, batches unacknowledged, payloads rejected

local unacked = 0
for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
    unacked = unacked + redis.call('ZCARD', ARGV[1] .. id .. '::batches')
end
return {redis.call('LLEN', KEYS[1]), unacked, redis.call('LLEN', KEYS[2])}
