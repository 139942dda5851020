#!lua flags=allow-oom
-- introduce: makes the key of a publisher, which has published nothing yet.
--
-- KEYS   1 the publisher's key   2 the version of the queue's keys
--        3 how many replicas must have what counts   4 the totals of the queue
--        5 a key that is there while marks are of two kinds   6 rmq::queues,
--        on a cluster a key that nobody has
--        7 ... the keys of the ids that the publisher had before, the last one
--        first
-- ARGV   1 life of a publisher's key, seconds
--        2 the version, noted
--        3 seconds for which marks are of two kinds from then on, if the queue
--        was there before   4 the queue's name, '' on a cluster
--        5 replicas, noted if fewer are; '' not told
--        6 the lines that it was told to be pushed, under all its ids
--        7 ... of each id of KEYS the Unix millisecond, by Redis's clock, at
--        which it was last answered, and those of the lines that were pushed
--        before it; all, if a missing key of it proves nothing
-- Reply  1 it was made, or 0 it was there before: nothing done; then the Unix
--        millisecond, by Redis's clock; then how many of these lines this Redis
--        lacks, which went back, or is another one; then the millisecond until
--        which marks are of two kinds, see publish, 0 if they are of one
--
-- Once per id: whoever gets no answer takes another id, so that this, late
-- from an old connection, makes a key that nobody uses and that expires.
-- What is lacking is added to totals.missed, and noted in the key of the last
-- id, under which nothing can be published from then on: so another such call,
-- and whoever has a copy of that id, is told the same, and adds nothing.
-- Allowed at maxmemory: it is small, and publish says which lines are refused.

local publisher, version, replicas, totals, upgraded, queues, last =
    unpack(KEYS)
local life, told = ARGV[1], tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- How many lines the record of a publisher accounts for, nil if a release made
-- it that did not count them; and how many are noted to be lacking.
local function account(record)
    local noted, up_to = string.match(record, '^lacks (%d+) of (%d+)$')
    if record == '0' or noted then
        return tonumber(up_to or 0), tonumber(noted)
    end
    return tonumber(string.match(record, '^%d+ [^ :]*:(%d+)'))
end

-- How many lines are lacking, and whether that is noted: all that were pushed
-- under, and after, an id whose key is missing.  One that may have expired
-- tells nothing.  Nor does the record of an older id account for lines that
-- were told under later ones: it may count some that were never told.
local function lacking()
    local known = told
    for i = 7, #KEYS do
        local at, from = tonumber(ARGV[2 * i - 7]), tonumber(ARGV[2 * i - 6])
        local record = redis.call('GET', KEYS[i])
        if record then
            local n, noted = account(record)
            if noted and i == 7 then
                return math.min(noted, told), true
            end
            return told - math.min(n or known, known), false
        elseif now - at >= life * 1000 / 2 then
            break
        end
        known = from
    end
    return told - known, false
end

local noted = redis.call('GET', version)
if not noted or (tonumber(noted) or math.huge) < tonumber(ARGV[2]) then
    if noted or redis.call('SISMEMBER', queues, ARGV[4]) == 1 then
        redis.call('SET', upgraded, 1, 'NX', 'EX', ARGV[3])
    end
    redis.call('SET', version, ARGV[2])
end
local left = redis.call('PTTL', upgraded)
local both = left > 0 and now + left or 0
local fewer = tonumber(redis.call('GET', replicas))
if ARGV[5] ~= '' and (not fewer or fewer < tonumber(ARGV[5])) then
    redis.call('SET', replicas, ARGV[5])
end
if redis.call('EXISTS', publisher) == 1 then
    return {0, now, 0, both}
end
local n, is_noted = 0, true
if last then
    n, is_noted = lacking()
end
if n > 0 and not is_noted then
    local many = string.format('%.0f', n)
    redis.call('HINCRBY', totals, 'missed', many)
    redis.call('SET', last, 'lacks ' .. many .. ' of ' .. ARGV[6], 'EX', life)
end
redis.call('SET', publisher, told > 0 and '0 :' .. ARGV[6] or 0, 'EX', life)
return {1, now, n, both}
