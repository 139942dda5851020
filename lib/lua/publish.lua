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
--        7 the lines as MessagePack; tagged: tag, line, tag, line ...
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

-- The reply to tagged lines of which none is pushed: only what was marked
-- before has a verdict of its own.
local function turn_away(input)
    local reply = {3}
    for i = 1, #input, 2 do
        local tag, index = input[i], (i - 1) / 2
        local was = tag ~= '' and redis.call('GET', seen .. tag)
        if was and was == input[i + 1] then
            table.insert(reply, 2, -1 - index)
        elseif was then
            reply[#reply + 1] = index
        end
    end
    return reply
end

-- Sorts tagged lines: those to push, their marks, and the indexes refused.
local function judge(input)
    local lines, marks, refused = {}, {}, {}
    for i = 1, #input, 2 do
        local tag, line = input[i], input[i + 1]
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
            refused[#refused + 1] = (i - 1) / 2
        end
    end
    return lines, marks, refused
end

local last = tonumber(redis.call('GET', publisher) or 0)
if seq > last + 1 then
    return {0}
end
local pushed = seq == last + 1
local input = cmsgpack.unpack(ARGV[7])

if seen == '' then
    if not pushed then
        return {2}
    end
    if is_high() then
        return {3}
    end
    return push(input) or {1}
end

local lines, marks, refused = judge(input)
if pushed and #lines > 0 and is_high() then
    return turn_away(input)
end
table.insert(refused, 1, pushed and 1 or 2)
if pushed then
    local failure = push(lines)
    if failure then
        return failure
    end
    for tag, line in pairs(marks) do
        redis.call('SET', seen .. tag, line, 'EX', window)
    end
end
return refused
