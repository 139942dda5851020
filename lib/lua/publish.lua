#!lua
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
-- Reply  1 pushed, or 2 was pushed before, or 0 a gap: nothing done, or
--        3 the list is at its mark: nothing done, seq is not used; then
--        ascending, of 3 only, -1 - the index, from 0, of each line whose
--        tag is marked with this increment: it was pushed before;
--        the index of each line whose tag is marked with another
--        increment: it was not pushed.
--
-- Repeated, or late from an old connection: seq is not above the last one,
-- so nothing is pushed, and the verdicts on tagged lines are worked out
-- again from their marks.  An error reply means that nothing was pushed.
-- Not allowed at maxmemory: an increment that can't be kept is refused.

local ready, queues, publisher = KEYS[1], KEYS[2], KEYS[3]
local seq, life, queue = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local seen, window, high_water = ARGV[4], ARGV[5], tonumber(ARGV[6])
local TAB, byte, sub, call = 9, string.byte, string.sub, redis.call
local CHUNK = 30 -- Redis keeps the arguments of calls as short as that

-- Moves the publisher to seq, then pushes lines.  If the push is refused
-- (ready is no list), takes the move back: nothing was done.
local function push(lines)
    if seq == 1 then
        redis.call('SADD', queues, queue)
    end
    redis.call('SET', publisher, seq, 'EX', life)
    for from = 1, #lines, CHUNK do
        local to = math.min(from + CHUNK - 1, #lines)
        local done = redis.pcall('LPUSH', ready, unpack(lines, from, to))
        if type(done) == 'table' then
            redis.call('SET', publisher, seq - 1, 'EX', life)
            return done
        end
    end
end

-- Would a push go over the mark?
local function is_high()
    return high_water > 0 and redis.call('LLEN', ready) >= high_water
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

-- The reply to lines of which none is pushed: only what was marked before
-- has a verdict of its own.
local function turn_away(input)
    local reply = {3}
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

-- What would be pushed, and the reply if that was done before.
local function judge(input)
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
-- so the marks come first; a push that is refused takes them back.
local function mark_and_push(input)
    local lines, made, reply = {}, {}, {1}
    each_line(input, function(index, key, line)
        local was = key and
            call('SET', key, line, 'NX', 'GET', 'EX', window)
        if not was then
            lines[#lines + 1] = line
            made[#made + 1] = key
        elseif was ~= line then
            reply[#reply + 1] = index
        end
    end)
    local failure = push(lines)
    if failure then
        for _, key in ipairs(made) do
            redis.call('DEL', key)
        end
    end
    return failure or reply
end

local last = tonumber(redis.call('GET', publisher) or 0)
if seq > last + 1 then
    return {0}
end
local next = seq == last + 1
local input = cmsgpack.unpack(ARGV[7])

if seen == '' then
    if not next then
        return {2}
    end
    if is_high() then
        return {3}
    end
    return push(input) or {1}
end

if next and not is_high() then
    return mark_and_push(input)
end
local fresh, reply = judge(input)
if not next then
    return reply
end
if fresh > 0 then
    return turn_away(input)
end
reply[1] = 1
return push({}) or reply
