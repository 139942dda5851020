#!lua flags=allow-oom
-- register: adds a consumer, which owns itself from then on.
--
-- KEYS   1 rmq::queues, on a cluster a key that nobody has
--        2 the set of consumers
--        3 the consumer's owner key   4 its last sequence number
--        5 the version of the queue's keys
--        6 how many replicas must have what counts
--        7 the last sequence number of another consumer
--        8 until when marks are of two kinds, as in introduce
--        9 how many shards the queue has, see shards
--       10 the same, as it holds for all batches of the consumer
-- ARGV   1 the consumer's id
--        2 its owner record   3 life of the owner key, milliseconds
--        4 the version, noted   5 as 3 of introduce
--        6 the queue's name, added to rmq::queues; '' nothing is: on a cluster,
--        where no release before was
--        7 replicas, noted if fewer are; '' not told
--        8 '1': keys of other shards are dead letters to it, else ''
-- Reply  now (Unix milliseconds), the number of that other one, -1 if it is
--        not known, the number of shards, 0 unless ARGV 8
--
-- Whoever delivers a batch of the consumer, also long after, must judge its
-- keys alike: what is counted must not become a dead letter, nor the other way
-- round.  So that is noted before there is a batch, and not looked up again.
--
-- Once per id: a second call is an error and changes nothing.  Late from an
-- old connection it makes a consumer that nobody renews, and that the next
-- look of adopt sweeps.

local queues, consumers, owner, last, version, replicas, other, upgraded,
    shards, judged = unpack(KEYS)
local id, record, life, mine, both, queue, told, own = unpack(ARGV)

if redis.call('SISMEMBER', consumers, id) == 1 then
    return redis.error_reply('ERR the consumer is registered already')
end
local n = 0
if own == '1' then
    n = tonumber(redis.call('GET', shards) or
        redis.call('EXISTS', version))
    if n == 0 then
        return redis.error_reply('TRYAGAIN no publisher has told yet how '
            .. 'many shards the queue has (--own-keys)')
    end
end
local known = tonumber(redis.call('GET', other) or '') or -1
local noted = redis.call('GET', version)
local is_new = queue == '' or redis.call('SADD', queues, queue) == 1
if not noted then
    redis.call('SET', shards, 0, 'NX')
end
if not noted or (tonumber(noted) or math.huge) < tonumber(mine) then
    if noted or not is_new then
        redis.call('SET', upgraded, 1, 'NX', 'EX', both)
    end
    redis.call('SET', version, mine)
end
local fewer = tonumber(redis.call('GET', replicas))
if told ~= '' and (not fewer or fewer < tonumber(told)) then
    redis.call('SET', replicas, told)
end
if n > 1 then
    redis.call('SET', judged, n)
end
redis.call('SADD', consumers, id)
redis.call('SET', last, 0, 'NX') -- late, it may have been swept
redis.call('SET', owner, record, 'PX', life)
local time = redis.call('TIME')
return {time[1] * 1000 + math.floor(time[2] / 1000), known, n > 1 and n or 0}
