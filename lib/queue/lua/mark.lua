#!lua flags=allow-oom
-- mark: notes that the incr-flush behind a consumer is alive.
--
-- KEYS   1 the set of consumers   2 the consumer's flush mark
--        3 its last sequence number   4 a key that nobody has
-- ARGV   1 the consumer's id   2 the record of the process, as in owner
--        records   3 life of the mark, milliseconds
-- Reply  1, or 0: the consumer is not registered any more, nothing was done,
--        or -1: it is not known here, the same
--
-- The text of a mark is UNTIL RECORD: it counts until then (Unix
-- milliseconds). The key stays for a day longer, so that one that has run
-- out can be told from one that never was. Late, a mark counts for one life
-- more.
--
-- The first one, and one in each half of a day, are for the AOF; in between
-- marks go to replicas alone, and the key lives as long as the AOF says. Read
-- back, a mark has run out, and the key tells that there was one.

local consumers, flush, last = unpack(KEYS)
local id, record, life = unpack(ARGV)
local DAY = 86400

if redis.call('SISMEMBER', consumers, id) == 0 then
    return redis.call('EXISTS', last) - 1
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local mark = string.format('%d %s', now + life, record)
if redis.call('PTTL', flush) > DAY * 500 then
    redis.set_repl(redis.REPL_REPLICA)
    redis.call('SET', flush, mark, 'KEEPTTL')
else
    redis.call('SET', flush, mark, 'EX', DAY)
end
return 1
