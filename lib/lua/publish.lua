#!lua
-- publish: pushes the lines of a publisher's batch, once.
--
-- KEYS   1 the ready list   2 rmq::queues   3 the publisher's key
-- ARGV   1 seq of the batch, from 1
--        2 life of the publisher's key, seconds
--        3 the queue's name
--        4 '' or, if the lines are tagged, what seen keys begin with
--        5 life of a seen key, seconds
--        6 the high-water mark of the ready list, 0 none
--        7 ... the lines; tagged: tag, line, tag, line ...
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
local FIRST = 7    -- index of the first line in ARGV
local CHUNK = 7000 -- arguments that fit on Lua's stack

-- Moves the publisher to seq, then pushes lines from..to.  If the push is
-- refused (ready is no list), takes the move back: nothing was done.
local function push(lines, from, to)
    if seq == 1 then
        redis.call('SADD', queues, queue)
    end
    redis.call('SET', publisher, seq, 'EX', life)
    while from <= to do
        local stop = math.min(from + CHUNK - 1, to)
        local done = redis.pcall('LPUSH', ready, unpack(lines, from, stop))
        if type(done) == 'table' then
            redis.call('SET', publisher, seq - 1, 'EX', life)
            return done
        end
        from = stop + 1
    end
end

-- Would a push go over the mark?
local function is_high()
    return high_water > 0 and redis.call('LLEN', ready) >= high_water
end

-- The reply to tagged lines of which none is pushed: only what was marked
-- before has a verdict of its own.
local function turn_away()
    local reply = {3}
    for i = FIRST, #ARGV, 2 do
        local was = ARGV[i] ~= '' and redis.call('GET', seen .. ARGV[i])
        if was and was == ARGV[i + 1] then
            table.insert(reply, 2, -1 - (i - FIRST) / 2)
        elseif was then
            reply[#reply + 1] = (i - FIRST) / 2
        end
    end
    return reply
end

-- Sorts tagged lines: those to push, their marks, and the indexes refused.
local function judge()
    local lines, marks, refused = {}, {}, {}
    for i = FIRST, #ARGV, 2 do
        local tag, line = ARGV[i], ARGV[i + 1]
        local was = false
        if tag ~= '' then
            was = marks[tag] or redis.call('GET', seen .. tag)
        end
        if not was then
            lines[#lines + 1] = line
            if tag ~= '' then
                marks[tag] = line
            end
        elseif was ~= line then
            refused[#refused + 1] = (i - FIRST) / 2
        end
    end
    return lines, marks, refused
end

local last = tonumber(redis.call('GET', publisher) or 0)
if seq > last + 1 then
    return {0}
end
local pushed = seq == last + 1

if seen == '' then
    if not pushed then
        return {2}
    end
    if is_high() then
        return {3}
    end
    return push(ARGV, FIRST, #ARGV) or {1}
end

local lines, marks, refused = judge()
if pushed and #lines > 0 and is_high() then
    return turn_away()
end
table.insert(refused, 1, pushed and 1 or 2)
if pushed then
    local failure = push(lines, 1, #lines)
    if failure then
        return failure
    end
    for tag, line in pairs(marks) do
        redis.call('SET', seen .. tag, line, 'EX', window)
    end
end
return refused
