#!lua flags=allow-oom
-- identify: which database counts the queue, and from which number of lines in
-- its ledger the totals of the queue count.
--
-- KEYS   1 the id of the database   2 the totals of the queue
--        3 the set of consumers   4 a key that nobody has
--        5 ... the batches of consumers
-- ARGV   1 the id of another one, or of the same
--        2 'note' it if none is noted, 'adopt' it in place of another one,
--          'settle' where the totals began in it, or just 'look'
--        3 the lines in its ledger, '' unknown; to settle, the base itself
--        4 '1' if the ledger has rows, which may be of an unacknowledged batch
--        5 to settle, how many payloads are known to be missed: no longer
--        6 ... the ids of these consumers
-- Reply  the id that was noted before, '' if none was
--        Or 'again' and the ids of all consumers: others are registered, too,
--        whose batches count, and nothing was done.
--
-- For ever after: lines in the ledger = totals.base + totals.acknowledged +
-- payloads of the unacknowledged batches that are in the ledger.  Where base is
-- not known, nobody tells a difference.  Before a database is noted nothing is
-- counted in it, so that what the caller has read of its ledger still holds.
--
-- Repeated: the reply may be the id itself, nothing else changes.  Late from
-- an old connection: 'note' does what the next incr-flush of that database
-- would do; 'adopt' and 'settle' are typed by somebody, who waits for it.

local database, totals, consumers = unpack(KEYS, 1, 3)
local id, how, lines, rows, known = unpack(ARGV, 1, 5)
local FIRST, EACH, IDS = 5, 1, 6
local NO_ID = '00000000-0000-0000-0000-000000000000'

-- The registered consumers, behind 'again'; whether the caller named all of
-- them; where their keys begin.
local function registered()
    local ids, all, at = {'again'}, true, {}
    for i = IDS, #ARGV do
        at[ARGV[i]] = FIRST + EACH * (i - IDS)
    end
    for _, id in ipairs(redis.call('SMEMBERS', consumers)) do
        if at[id] or string.gsub(id, '[0-9a-f]', '0') == NO_ID then
            ids[#ids + 1] = id
            all = all and at[id]
        end
    end
    return ids, all, at
end

local function any_batches(ids, at)
    for i = 2, #ids do
        if redis.call('ZCARD', KEYS[at[ids[i]]]) > 0 then
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
    local ids, all, at = registered()
    if not all and lines ~= '' and rows ~= '' then
        return ids
    end
    redis.call('SET', database, id)
    redis.call('HDEL', totals, 'base')
    if lines ~= '' and (rows == '' or not any_batches(ids, at)) then
        begin(lines - (redis.call('HGET', totals, 'acknowledged') or 0))
    end
end
return was or ''
