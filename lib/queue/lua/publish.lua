-- publish: pushes the lines of a publisher's batch, once.
--
-- KEYS   1 the ready list   2 rmq::queues   3 the publisher's key
-- ARGV   1 seq of the batch, from 1
--        2 life of the publisher's key, seconds
--        3 the queue's name
--        4 '' or, if there are tags, what seen keys begin with
--        5 life of a seen key, seconds
--        6 the high-water mark of the ready list, 0 none
--        7 the lines as MessagePack; one that has a tag comes behind it, a
--          TAB and the tag
-- Reply  1 pushed, or 2 was pushed before, or 0 a gap, or its key is
--        missing: nothing done, or 3 the list is at its mark, 4 Redis is at
--        maxmemory: nothing done, seq is not used; then ascending, of 3 and
--        4 only, -1 - the index, from 0, of each line whose tag is marked
--        with this increment: it was pushed before;
--        the index of each line whose tag is marked with another
--        increment: it was not pushed.
--
-- Repeated, or late from an old connection: seq is not above the last one,
-- so nothing is pushed, and the outcomes of tagged lines are found again by
-- their marks.  The publisher was introduced, so its key is missing only
-- after its life, which ends early if the clock is set forward: then it is
-- not known what was pushed.  An error reply means that nothing was
-- pushed.
--
-- At maxmemory an increment that can't be kept is refused.  Without #!lua
-- Redis does that at the first write, and what only reads still works.

local ready, queues, publisher = KEYS[1], KEYS[2], KEYS[3]
local seq, life, queue = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local seen, window, high_water = ARGV[4], ARGV[5], tonumber(ARGV[6])
local TAB, byte, sub, call = 9, string.byte, string.sub, redis.pcall
local CHUNK = 30 -- Redis keeps the arguments of calls as short as that

-- Moves the publisher to seq, then pushes lines.  If the push is refused
-- (ready is no list), takes the move back: nothing was done.
local function push(lines)
    local moved = redis.pcall('SET', publisher, seq, 'EX', life)
    if moved.err then
        return moved
    end
    for from = 1, #lines, CHUNK do
        local to = math.min(from + CHUNK - 1, #lines)
        local done = redis.pcall('LPUSH', ready, unpack(lines, from, to))
        if type(done) == 'table' then
            redis.call('SET', publisher, seq - 1, 'EX', life)
            return done
        end
    end
end

-- The reason why nothing may be pushed: 3 or 4 as in a reply, or an error;
-- nil if there is none.  The first write: what it may do all others may.
local function refusal()
    if high_water > 0 and redis.call('LLEN', ready) >= high_water then
        return 3
    end
    local done = redis.pcall('SADD', queues, queue)
    if type(done) == 'table' then
        return string.find(done.err, '^OOM') and 4 or done
    end
end

-- Calls act(index, from 0, of the line; its seen key or nothing; line).
local function each_line(input, act)
    local i, index = 1, 0
    while i <= #input do
        local line, key = input[i], nil
        if byte(line) == TAB then
            i, key, line = i + 1, seen .. sub(line, 2), input[i + 1]
        end
        act(index, key, line)
        i, index = i + 1, index + 1
    end
end

-- The reply to lines of which none is pushed: only lines that were marked
-- before have an outcome.
local function turn_away(input, reason)
    local reply = {reason}
    each_line(input, function(index, key, line)
        local was = key and redis.call('GET', key)
        if was and was == line then
            table.insert(reply, 2, -1 - index)
        elseif was then
            reply[#reply + 1] = index
        end
    end)
    return reply
end

-- How many lines are not marked, and the reply if they were pushed before.
local function count_fresh(input)
    local fresh, marks, reply = 0, {}, {2}
    each_line(input, function(index, key, line)
        local was = key and (marks[key] or redis.call('GET', key))
        if not was then
            fresh = fresh + 1
            if key then
                marks[key] = line
            end
        elseif was ~= line then
            reply[#reply + 1] = index
        end
    end)
    return fresh, reply
end

-- Marks the lines and pushes those that were not.  One call looks and marks,
-- so the marks come first; a mark or a push that is refused (a key of the
-- wrong type) takes them back.
local function mark_and_push(input)
    local lines, made, reply, failure = {}, {}, {1}, nil
    each_line(input, function(index, key, line)
        if failure then
            return
        end
        local was = key and
            call('SET', key, line, 'NX', 'GET', 'EX', window)
        if not was then
            lines[#lines + 1] = line
            made[#made + 1] = key
        elseif type(was) == 'table' then
            failure = was
        elseif was ~= line then
            reply[#reply + 1] = index
        end
    end)
    failure = failure or push(lines)
    if failure then
        for _, key in ipairs(made) do
            redis.call('DEL', key)
        end
    end
    return failure or reply
end

local last = tonumber(redis.call('GET', publisher) or nil)
if not last or seq > last + 1 then
    return {0}
end
local next = seq == last + 1
local tags = seen ~= ''
if not next and not tags then
    return {2}
end
local input = cmsgpack.unpack(ARGV[7])
if not next then
    local _, reply = count_fresh(input)
    return reply
end

local reason = refusal()
if type(reason) == 'table' then
    return reason
end
if not reason then
    return tags and mark_and_push(input) or push(input) or {1}
end
if reason == 3 and tags then
    local fresh, reply = count_fresh(input)
    if fresh == 0 then
        reply[1] = 1
        return push({}) or reply
    end
end
return tags and turn_away(input, reason) or {reason}
