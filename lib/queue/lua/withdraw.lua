#!lua flags=allow-oom
-- withdraw: takes payloads out of the rejected list, back to the ready list
-- or for good; or labels them, and leaves them there.
--
-- KEYS   1 the rejected list   2 the ready list   3 the withdrawer's key
--        4 a key that nobody has   5 the totals of the queue
--        6 when payloads were rejected, by their SHA-1
-- ARGV   1 seq of the call, from 1
--        2 life of the withdrawer's key, seconds
--        3 a mark: a payload that nobody has
--        4 how many older payloads to skip
--        5 ... at least one, ascending: index (0 is the oldest after those),
--        payload, where to: 'ready', '' it is dropped, or its label
-- Reply  how many were withdrawn or labelled, or -1: seq is not the next one
--
-- A payload that is no longer where it was seen is left alone; those that
-- stay keep their order.  Repeated: nothing is done, and the reply is that
-- of the first time.  Late from an old connection: -1.  An error means that
-- nothing was done.  Allowed at maxmemory: it moves or frees, or adds a label.
--
-- A label is put into the header of adjust/rmq with the Unix millisecond, by
-- Redis's clock, at which that was done; a payload without a header gets one.
-- lib/inspect/label.h reads it.  A repeated call renews the withdrawer's key:
-- WAIT behind it then includes the labels.
--
-- The times of those withdrawn go with them, also for equal payloads that stay:
-- none is better than that of another one.  So do those of labelled ones.  With
-- the last payload all go.
--
-- To be removed by its place a payload is marked first.  LREM comes last,
-- since it can't be taken back; whoever may not call it is told before
-- anything has changed.

local rejected, ready, withdrawer, nobody, totals, times = unpack(KEYS)
local seq, life, mark = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local older = tonumber(ARGV[4])
local FIRST, EACH = 5, 3
local CHUNK = 30 -- Redis keeps the arguments of calls as short as that

local function is_label(to)
    return to ~= 'ready' and to ~= ''
end

-- The payload with a label, "incr-label":["LABEL MS"] in its header.  What
-- stands behind it tells whether there was a header.
local function with_label(payload, label)
    local time = redis.call('TIME')
    local member = string.format('"incr-label":["%s %.0f"]', label,
        time[1] * 1000 + math.floor(time[2] / 1000))
    local at = string.match(payload, '^\255%z\190\190J%s*{()')
    if not at then
        return '\255\0\190\190J{' .. member .. '}\n' .. payload
    end
    local is_empty = string.match(payload, '^%s*}', at)
    return string.sub(payload, 1, at - 1) .. member ..
        (is_empty and ' ' or ',') .. string.sub(payload, at)
end

-- Those that are there as seen: the place, from the right end, the payload, and
-- what it is to be.
local function find()
    local picks = {}
    local span = ARGV[#ARGV - EACH + 1] + 1
    local there = redis.call('LRANGE', rejected, -older - span, -older - 1)
    for i = FIRST, #ARGV, EACH do
        local index, payload, to = ARGV[i], ARGV[i + 1], ARGV[i + 2]
        if there[#there - index] == payload then
            picks[#picks + 1] = {place = -1 - older - index, was = payload,
                to = to, is = is_label(to) and with_label(payload, to) or mark}
        end
    end
    return picks
end

-- Sets each place to what the pick has as `field`; an error can only be the
-- first one's.
local function set(picks, field)
    for _, pick in ipairs(picks) do
        local done = redis.pcall('LSET', rejected, pick.place, pick[field])
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
    if #payloads == 0 then
        return
    end
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
local function forget_times(picks)
    if redis.call('LLEN', rejected) == 0 then
        redis.pcall('UNLINK', times)
        return
    end
    for from = 1, #picks, CHUNK do
        local digests = {}
        for i = from, math.min(from + CHUNK - 1, #picks) do
            digests[#digests + 1] = redis.sha1hex(picks[i].was)
        end
        redis.pcall('ZREM', times, unpack(digests))
    end
end

local function withdraw(picks)
    local republished, gone = {}, 0
    for _, pick in ipairs(picks) do
        gone = gone + (is_label(pick.to) and 0 or 1)
        republished[#republished + 1] = pick.to == 'ready' and pick.was or nil
    end
    local failure = set(picks, 'is')
    if failure then
        return failure
    end
    failure = publish(republished)
    if failure then
        set(picks, 'was')
        return failure
    end
    if gone > 0 then
        -- From the end that is nearer.
        local near = older * 2 > redis.call('LLEN', rejected) and 1 or -1
        redis.call('LREM', rejected, near * gone, mark)
    end
    forget_times(picks)
end

local last, before = string.match(redis.call('GET', withdrawer) or '0 0',
    '^(%d+) (%d+)$')
if seq == tonumber(last) then
    redis.call('PEXPIRE', withdrawer, life * 1000)
    return tonumber(before)
end
if seq ~= last + 1 then
    return -1
end
redis.call('LREM', nobody, 0, mark)
redis.call('ZREM', times, '')
redis.call('UNLINK', nobody)
local picks = find()
redis.call('SET', withdrawer, seq .. ' ' .. #picks, 'EX', life)
local failure = #picks > 0 and withdraw(picks)
if failure then
    redis.call('SET', withdrawer, (seq - 1) .. ' 0', 'EX', life)
    return failure
end
return #picks
