#!lua flags=allow-oom
-- withdraw: takes payloads out of the rejected list, back to the ready list
-- or for good.
--
-- KEYS   1 the rejected list   2 the ready list   3 the withdrawer's key
--        4 a key that nobody has   5 the totals of the queue
--        6 when payloads were rejected, by their SHA-1
-- ARGV   1 seq of the call, from 1
--        2 life of the withdrawer's key, seconds
--        3 'ready', or '' to drop them
--        4 a mark: a payload that nobody has
--        5 how many older payloads to skip
--        6 ... at least one, ascending: index (0 is the oldest after
--        those), payload
-- Reply  how many were withdrawn, or -1: seq is not the next one
--
-- A payload that is no longer where it was seen is left alone; those that
-- stay keep their order.  Repeated: nothing is done, and the reply is that
-- of the first time.  Late from an old connection: -1.  An error means that
-- nothing was withdrawn.  Allowed at maxmemory: it moves or frees.
--
-- The times of those withdrawn go with them, also for equal payloads that stay:
-- none is better than that of another one.  With the last payload all go.
--
-- To be removed by its place a payload is marked first.  LREM comes last,
-- since it can't be taken back; whoever may not call it is told before
-- anything has changed.

local rejected, ready, withdrawer, nobody, totals, times = unpack(KEYS)
local seq, life, to, mark = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local older = tonumber(ARGV[5])
local FIRST = 6
local CHUNK = 30 -- Redis keeps the arguments of calls as short as that

-- The places, from the right end, and the payloads that are there as seen.
local function find()
    local places, payloads = {}, {}
    local span = ARGV[#ARGV - 1] + 1
    local there = redis.call('LRANGE', rejected, -older - span, -older - 1)
    for i = FIRST, #ARGV, 2 do
        if there[#there - ARGV[i]] == ARGV[i + 1] then
            places[#places + 1] = -1 - older - ARGV[i]
            payloads[#payloads + 1] = ARGV[i + 1]
        end
    end
    return places, payloads
end

-- Sets each place to what of(i) says; an error can only be the first one's.
local function set(places, of)
    for i = 1, #places do
        local done = redis.pcall('LSET', rejected, places[i], of(i))
        if done.err then
            return done
        end
    end
end

-- Only the first push can be refused.
local function push(payloads)
    for from = 1, #payloads, CHUNK do
        local done = redis.pcall('LPUSH', ready, unpack(payloads, from,
            math.min(from + CHUNK - 1, #payloads)))
        if type(done) == 'table' then
            return done
        end
    end
end

-- What is back on the ready list is published once more.
local function publish(payloads)
    local added = redis.pcall('HINCRBY', totals, 'published', #payloads)
    if type(added) == 'table' then
        return added
    end
    local failure = push(payloads)
    if failure then
        redis.call('HINCRBY', totals, 'published', -#payloads)
    end
    return failure
end

-- Behind what can't be taken back: no error in it ends the call.
local function forget_times(payloads)
    if redis.call('LLEN', rejected) == 0 then
        redis.pcall('UNLINK', times)
        return
    end
    for from = 1, #payloads, CHUNK do
        local digests = {}
        for i = from, math.min(from + CHUNK - 1, #payloads) do
            digests[#digests + 1] = redis.sha1hex(payloads[i])
        end
        redis.pcall('ZREM', times, unpack(digests))
    end
end

local function withdraw(places, payloads)
    local failure = set(places, function() return mark end)
    if failure then
        return failure
    end
    failure = to == 'ready' and publish(payloads)
    if failure then
        set(places, function(i) return payloads[i] end)
        return failure
    end
    -- From the end that is nearer.
    local near = older * 2 > redis.call('LLEN', rejected) and 1 or -1
    redis.call('LREM', rejected, near * #places, mark)
    forget_times(payloads)
end

local last, before = string.match(redis.call('GET', withdrawer) or '0 0',
    '^(%d+) (%d+)$')
if seq == tonumber(last) then
    return tonumber(before)
end
if seq ~= last + 1 then
    return -1
end
redis.call('LREM', nobody, 0, mark)
redis.call('ZREM', times, '')
redis.call('UNLINK', nobody)
local places, payloads = find()
redis.call('SET', withdrawer, seq .. ' ' .. #places, 'EX', life)
local failure = #places > 0 and withdraw(places, payloads)
if failure then
    redis.call('SET', withdrawer, (seq - 1) .. ' 0', 'EX', life)
    return failure
end
return #places
