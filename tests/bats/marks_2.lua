-- publish.lua of version 2 of a queue's keys, which had a key for each tag:
-- what marks.py compares that of this release with.
--
-- publish: pushes the lines of a publisher's batch, once.
--
-- KEYS   1 the ready list   2 rmq::queues   3 the publisher's key
--        4 the totals of the queue
-- ARGV   1 seq of the batch, from 1
--        2 life of the publisher's key, seconds
--        3 the queue's name
--        4 '' or, if there are tags, what seen keys begin with
--        5 life of a seen key, seconds, from its last use
--        6 the high-water mark of the ready list, 0 none
--        7 not-after: the last Unix millisecond, by Redis's clock, at which
--          anything may be pushed
--        8 the batch's name: no other batch has it, of whatever publisher
--        9 the lines as MessagePack; one that has a tag comes behind it, a
--          TAB and the tag
-- Reply  1 pushed
--        2 was pushed before
--        0 nothing done: its key is missing, or shows that seq is not the
--          next number; an earlier sending may have been done
--        3 nothing done, seq is not used: the list is at its mark
--        4 the same: Redis is at maxmemory
--        5 the same: it came later than not-after
--        6 nothing done, ever: seq was used for a batch of another name
--        then the Unix millisecond, by Redis's clock; how many lines its
--        publisher has pushed up to this batch, under all its ids, 0 with 0
--        and 6; then ascending, of 3 and 4 only, -1 - the index, from 0, of
--        each line whose tag is marked with this increment: it was pushed
--        before; the index of each line whose tag is marked with another
--        increment: it was not pushed.
--
-- The publisher's key is the last seq, the name of its batch, a colon and the
-- number of lines pushed up to it, and the indexes of the lines that were
-- refused: so a repeat is answered as the first sending was, also when the
-- marks have expired meanwhile.
--
-- Repeated, or late from an old connection: seq is not above the last one, so
-- nothing is pushed; later than not-after nothing is pushed either, so that
-- marks, which live longer, hold for every sending.  The publisher was
-- introduced, so its key is missing only after its life, which ends early if
-- the clock is set forward: then it is not known what was pushed.  An error
-- reply means that nothing was pushed.
--
-- Whoever is told that a line was pushed before may ask again, and that may be
-- late, too: so a mark that is found lives on as if it was made now.
--
-- Who is told that a line was pushed before has the publisher's key renewed
-- with it: WAIT behind this call then includes that push.
--
-- At maxmemory an increment that can't be kept is refused.  Without #!lua
-- Redis does that at the first write, and what only reads still works.

local ready, queues, publisher, totals = unpack(KEYS)
local seq, life, queue = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local seen, window, high_water = ARGV[4], ARGV[5], tonumber(ARGV[6])
local not_after, name = tonumber(ARGV[7]), ARGV[8]
local TAB, byte, sub, call = 9, string.byte, string.sub, redis.pcall
local CHUNK = 30 -- Redis keeps the arguments of calls as short as that

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('GET', publisher)
local last, whose, total, refused =
    string.match(record or '', '^(%d+) ?([^ :]*):?(%d*)(.*)$')
last, total = tonumber(last), tonumber(total) or 0
local INDEXES = 4 -- of a reply, from there on

-- Moves the publisher to seq, counts the lines, then pushes them.  If that is
-- refused (totals or ready is of another type), takes back what was done.
local function push(lines, reply)
    reply[3] = total + #lines
    local moved = redis.pcall('SET', publisher,
        string.format('%s %s:%.0f ', ARGV[1], name, reply[3]) ..
            table.concat(reply, ' ', INDEXES), 'EX', life)
    if moved.err then
        return moved
    end
    local added = redis.pcall('HINCRBY', totals, 'published', #lines)
    if type(added) == 'table' then
        redis.call('SET', publisher, record, 'EX', life)
        return added
    end
    for from = 1, #lines, CHUNK do
        local to = math.min(from + CHUNK - 1, #lines)
        local done = redis.pcall('LPUSH', ready, unpack(lines, from, to))
        if type(done) == 'table' then
            redis.call('HINCRBY', totals, 'published', -#lines)
            redis.call('SET', publisher, record, 'EX', life)
            return done
        end
    end
    return reply
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

-- Its line was, or will be, told to be there.  Another program may have made
-- the mark for longer.
local function live_on(key)
    call('PEXPIRE', key, window * 1000, 'GT')
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
    local reply = {reason, now, total}
    each_line(input, function(index, key, line)
        local was = key and redis.call('GET', key)
        if was and was == line then
            live_on(key)
            table.insert(reply, INDEXES, -1 - index)
        elseif was then
            reply[#reply + 1] = index
        end
    end)
    if (reply[INDEXES] or 0) < 0 then
        redis.call('PEXPIRE', publisher, life * 1000)
    end
    return reply
end

-- How many lines are not marked, and the reply if none has to be pushed.
local function count_fresh(input)
    local fresh, marks, reply = 0, {}, {1, now, total}
    each_line(input, function(index, key, line)
        local was = key and (marks[key] or redis.call('GET', key))
        if not was then
            fresh = fresh + 1
            if key then
                marks[key] = line
            end
        elseif was ~= line then
            reply[#reply + 1] = index
        else
            live_on(key)
        end
    end)
    return fresh, reply
end

-- Marks the lines and pushes those that were not.  One call looks and marks,
-- so the marks come first; a mark or a push that is refused (a key of the
-- wrong type) takes them back, and who may not do that makes none.
local function mark_and_push(input)
    local undone = redis.pcall('DEL', seen) -- a key that nobody has
    if type(undone) == 'table' then
        return undone
    end
    local lines, made, reply, failure = {}, {}, {1, now, total}, nil
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
        else
            live_on(key)
        end
    end)
    local result = failure or push(lines, reply)
    if result.err then
        for _, key in ipairs(made) do
            redis.call('DEL', key)
        end
    end
    return result
end

-- The reply to a batch whose number is the last one: as the record says.
local function answer_again()
    if whose ~= name then
        return {6, now, 0}
    end
    redis.call('PEXPIRE', publisher, life * 1000)
    local reply = {2, now, total}
    for index in string.gmatch(refused, '%d+') do
        reply[#reply + 1] = tonumber(index)
    end
    return reply
end

if last and seq == last then
    return answer_again()
end
if last and seq == last + 1 and now > not_after then
    return {5, now, total}
end
if seq ~= (last or -1) + 1 then
    return {0, now, 0}
end

local tags = seen ~= ''
local input = cmsgpack.unpack(ARGV[9])
local reason = refusal()
if type(reason) == 'table' then
    return reason
end
if not reason then
    return tags and mark_and_push(input) or push(input, {1, now, total})
end
if reason == 3 and tags then
    local fresh, reply = count_fresh(input)
    if fresh == 0 then
        return push({}, reply)
    end
end
return tags and turn_away(input, reason) or {reason, now, total}
