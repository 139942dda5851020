#!lua flags=no-writes
-- survey: where all messages of a queue are at this moment, changing nothing.
--
-- KEYS   1 the ready list   2 the rejected list   3 the set of consumers
-- ARGV   1 what a consumer's keys begin with
-- Reply  payloads ready, payloads rejected, then for each consumer
--        {its id, its last sequence number, and of each of its batches:
--        seq, payloads ...}

local reply = {redis.call('LLEN', KEYS[1]), redis.call('LLEN', KEYS[2])}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
    local prefix = ARGV[1] .. id
    local one = {id, tonumber(redis.call('GET', prefix .. '::last') or 0)}
    for _, seq in ipairs(redis.call('ZRANGE', prefix .. '::batches', 0, -1))
    do
        one[#one + 1] = tonumber(seq)
        one[#one + 1] = redis.call('LLEN', prefix .. '::batch::' .. seq)
    end
    reply[#reply + 1] = one
end
return reply
