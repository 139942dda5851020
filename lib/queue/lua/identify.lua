#!lua flags=allow-oom
-- identify: which database counts the queue, and from which number of lines in
-- its ledger the totals of the queue count.
--
-- KEYS   1 the id of the database   2 the totals of the queue
--        3 the set of consumers   4 a key that nobody has
-- ARGV   1 the id of another one, or of the same
--        2 'note' it if none is noted, 'adopt' it in place of another one,
--          'settle' where the totals began in it, or just 'look'
--        3 what a consumer's keys begin with
--        4 the lines in its ledger, '' unknown; to settle, the base itself
--        5 '1' if the ledger has rows, which may be of an unacknowledged batch
--        6 to settle, how many payloads are known to be missed: no longer
-- Reply  the id that was noted before, '' if none was
--
-- For ever after: lines in the ledger = totals.base + totals.acknowledged +
-- payloads of the unacknowledged batches that are in the ledger.  Where base is
-- not known, nobody tells a difference.  Before a database is noted nothing is
-- counted in it, so that what the caller has read of its ledger still holds.
--
-- Repeated: the reply may be the id itself, nothing else changes.  Late from
-- an old connection: 'note' does what the next incr-flush of that database
-- would do; 'adopt' and 'settle' are typed by somebody, who waits for it.

local database, totals, consumers = unpack(KEYS)
local id, how, prefix, lines, rows, known = unpack(ARGV)

local function any_batches()
    for _, consumer in ipairs(redis.call('SMEMBERS', consumers)) do
        if redis.call('ZCARD', prefix .. consumer .. '::batches') > 0 then
            return true
        end
    end
    return false
end

local function begin(base)
    redis.call('HSET', totals, 'base', string.format('%.0f', base))
end

local was = redis.call('GET', database)
if how == 'settle' and was == id then
    begin(lines)
    local missed = tonumber(redis.call('HGET', totals, 'missed') or '') or 0
    if missed > 0 then
        redis.call('HINCRBY', totals, 'missed', -math.min(missed, known))
    end
elseif how == 'adopt' and was ~= id or how == 'note' and not was then
    redis.call('SET', database, id)
    redis.call('HDEL', totals, 'base')
    if lines ~= '' and (rows == '' or not any_batches()) then
        begin(lines - (redis.call('HGET', totals, 'acknowledged') or 0))
    end
end
return was or ''
