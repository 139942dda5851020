-- publish: pushes the lines of a publisher's batch, once.
--
-- KEYS   1 the ready list   2 rmq::queues, on a cluster a key that nobody has
--        3 the publisher's key
--        4 the totals of the queue
--        and if there are tags   5 a key that nobody has
--        6 which shelf of singles is filled   7 ... of each group of ARGV 9 the
--        keys of its marks: b one, s two, of both shelves, a two for each
--        line; then, if ARGV 8 is not 0, of each of its lines that of the mark
--        of a release before
-- ARGV   1 seq of the batch, from 1
--        2 life of the publisher's key, seconds
--        3 the queue's name, added to rmq::queues; '' nothing is
--        4 the high-water mark of the ready list, 0 none
--        5 not-after: the last Unix millisecond, by Redis's clock, at which
--          anything may be pushed
--        6 the batch's name: no other batch has it, of whatever publisher
--        and if there are tags   7 life of a mark, seconds, from its last use
--        8 the Unix millisecond until which marks are also made and found as
--          a release before does it; 0 not at all
--        9 groups of lines, a letter and how many: a, if it is there the first
--          one, and ARGV 8 is 0, with singles that each have their own keys; b
--          with marks in one block; s with singles in one pair of shelves
--        10 of each line of each group, as MessagePack: its number, from 1;
--          the field of its mark; the mark
--        then the lines
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
-- A mark is a field of a hash, which lives as long as the one that was used
-- last: a block has up to 128.  Singles would keep one hash alive for ever, so
-- there are two, shelves.  Both count; one is filled until nothing on the other
-- lives any more, then the other one is.
--
-- A release before has a key per tag, its increment.  Until ARGV 8 publishers
-- of it may run, or calls of theirs come late: both kinds of marks are made,
-- and whichever is found counts.
--
-- Who is told that a line was pushed before has the publisher's key renewed
-- with it: WAIT behind this call then includes that push.
--
-- At maxmemory an increment that can't be kept is refused.  Without #!lua
-- Redis does that at the first write, and what only reads still works.
--
-- Lua makes a function anew whenever it comes to it, and most calls have few
-- lines: so what these need is no function, and functions are made only where
-- they are called.  `+ 0` makes a number of a text at half the price of
-- tonumber().  Of a call with one line, keys and arguments taken by unpack()
-- save 1 %, a remainder in place of floor() 1 %, the text '1' as an argument of
-- HINCRBY 2 %, and %d for %.0f 1 %: beyond 2^31 a Redis of 32 bits has no %d.

local ready, queues, publisher, totals, tags = unpack(KEYS, 1, 5)
local number, life, queue, high_water, not_after, name = unpack(ARGV, 1, 6)
local call, seq = redis.pcall, number + 0
local CHUNK = 30 -- Redis keeps the arguments of calls as short as that

local time = redis.call('TIME')
local ms = time[2] / 1000
local now = time[1] * 1000 + ms - ms % 1
local record = redis.call('GET', publisher)
local last, total = string.match(record or '', '^(%d+)[^:]*:?(%d*)')
last, total = last and last + 0, last and total ~= '' and total + 0 or 0
local INDEXES = 4 -- of a reply, from there on

-- The number is the last one: the reply is as the record says.
if seq == last then
    local whose, refused = string.match(record, '^%d+ ?([^ :]*):?%d*(.*)$')
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
if seq ~= (last or -1) + 1 then
    return {0, now, 0}
end
if last and now > not_after + 0 then
    return {5, now, total}
end

-- The reason why nothing may be pushed: 3 or 4 as in a reply.  The first write:
-- what it may do all others may.  On a cluster it does nothing.
local reason = nil
if high_water ~= '0' and redis.call('LLEN', ready) >= high_water + 0 then
    reason = 3
else
    local done
    if queue == '' then
        done = call('SET', queues, '', 'XX')
    else
        done = call('SADD', queues, queue)
    end
    if type(done) == 'table' then
        if not string.find(done.err, '^OOM') then
            return done
        end
        reason = 4
    end
end
if reason and not tags then
    return {reason, now, total}
end

-- What is pushed: n lines, of which lines[head + i] is line i; the reply; the
-- error why nothing is.
local lines, head = ARGV, tags and 10 or 6
local n, reply, failure = #ARGV - head, {1, now, total}, nil

-- Of tags: which lines are not pushed, and whether their marks are of them, not
-- of another increment; marks that were made, key and fields; the last single
-- alone that was marked; keys of marks of a release before; which shelf is
-- filled, and what is to be noted of that, if anything.
local settled, made, marked, made_seen, filled, note
local marks, window, window_ms, both, groups, alone
if tags then
    settled, made, marked, made_seen = {}, {}, 0, {}
    window, window_ms = ARGV[7] + 0, ARGV[7] .. '000'
    both = ARGV[8] ~= '0' and ARGV[8] + 0 > now
    groups, marks = ARGV[9], cmsgpack.unpack(ARGV[10])
    alone = string.match(groups, '^a(%d+)') or 0
end

-- Who may not take marks back makes none.  The time of the shelf that is filled
-- is over once all that the other one was given is over, by the longest life
-- that there was.
if marks and not reason then
    local done = call('HDEL', KEYS[5], '')
    done = type(done) == 'table' and done or call('DEL', KEYS[5])
    local turn = type(done) == 'table' and done or call('GET', KEYS[6])
    if type(turn) == 'table' then
        return turn
    end
    local which, since, before, longest =
        string.match(turn or '', '^([12]) (%d+) (%d+) (%d+)$')
    filled, since = (which or 1) + 0, (since or now) + 0
    before, longest = (before or 0) + 0, (longest or 0) + 0
    if now > since + 1000 * math.max(before, longest) then
        filled, since, before, longest = 3 - filled, now, longest, 0
    end
    if longest < window then
        note = {string.format('%d %.0f %d %d', filled, since, before, window),
            2 * math.max(before, window)}
    end
end

-- Marks singles one by one.  A mark on the shelf that is not filled is made
-- once more, on the other one.
for i = 1, filled and alone or 0 do
    local to, number = KEYS[4 + 2 * i + filled], marks[3 * i - 2]
    local field, mark = marks[3 * i - 1], marks[3 * i]
    local was, new = call('HGET', KEYS[7 + 2 * i - filled], field), 0
    if not was or was == mark then
        new = call('HSETNX', to, field, mark)
    end
    if new == 1 then
        marked = i
        local lives = call('PEXPIRE', to, window_ms, 'GT')
        if lives == 0 then -- it is new, or lives as long already
            lives = call('PEXPIRE', to, window_ms, 'NX')
        end
        failure = lives ~= 0 and lives ~= 1 and lives
    elseif new ~= 0 or type(was) == 'table' then
        failure = new ~= 0 and new or was
    else
        was = call('HGET', to, field) or was
        if was == mark then
            call('PEXPIRE', to, window_ms, 'GT')
        else
            failure = type(was) == 'table' and was
        end
    end
    if was then
        settled[number] = was == mark
    end
    if failure then
        break
    end
end

if marks and not failure and (reason or not string.find(groups, '^a%d+$')) then
    -- Calls act(group) for each but those alone; for each of them, too, while
    -- nothing may be pushed: its letter, how many lines, their marks from `at`
    -- on, its keys, and from which of KEYS on those of a release before are.
    local function each_group(act)
        local at, key = 1, 7
        local function go(kind, n)
            local keys = {KEYS[key], kind == 's' and KEYS[key + 1] or nil}
            act({kind = kind, n = n, at = at, keys = keys, seen = key + #keys})
            at = at + 3 * n
            key = key + #keys + (ARGV[8] ~= '0' and n or 0)
        end
        for kind, n in string.gmatch(groups, '(%a)(%d+)') do
            n = tonumber(n)
            if kind ~= 'a' then
                go(kind, n)
            elseif reason then
                for _ = 1, n do
                    go('s', 1)
                end
            else
                at, key = at + 3 * n, key + 2 * n
            end
        end
    end

    -- The line was, or will be, told to be there.  Another program may have
    -- made the mark for longer.
    local function live_on(key)
        call('PEXPIRE', key, window_ms, 'GT')
    end

    -- What the marks of a group are by each of its keys, or an error.
    local function find(group, call)
        local fields, found = {}, {}
        for i = 1, group.n do
            fields[i] = marks[group.at + 3 * i - 2]
        end
        for k, key in ipairs(group.keys) do
            found[k] = call('HMGET', key, unpack(fields))
            if found[k].err then
                return nil, found[k]
            end
        end
        return found
    end

    -- The mark of line i of a group, and by which of its keys, that one if it
    -- can be; nil if there is none.
    local function mark_in(found, i, first)
        local other = found[3 - first]
        if found[first][i] then
            return found[first][i], first
        elseif other and other[i] then
            return other[i], 3 - first
        end
    end

    -- Calls act(index, from 0, of the line; whether its tag is marked with it,
    -- nil if it is not marked) for each line of a group.  A mark that is found
    -- lives on.
    local function look(group, act)
        local found = find(group, redis.call)
        for i = 1, group.n do
            local number, mark = marks[group.at + 3 * i - 3],
                marks[group.at + 3 * i - 1]
            local was, k = mark_in(found, i, 1)
            local seen = both and KEYS[group.seen + i - 1]
            local before, same = seen and redis.call('GET', seen), nil
            if was then
                same = was == mark
            elseif before then
                same = before == lines[head + number]
            end
            if same and was then
                live_on(group.keys[k])
            end
            if same and seen then
                live_on(seen)
            end
            act(number - 1, same)
        end
    end

    -- Looks for all marks: the indexes of the lines that were pushed before,
    -- each as -1 - index, those of the lines that are refused, both ascending,
    -- and whether there are others, which would have to be pushed.
    local function look_all()
        local known, refused, fresh = {}, {}, n > #marks / 3
        each_group(function(group)
            look(group, function(index, same)
                if same then
                    known[#known + 1] = -1 - index
                elseif same == false then
                    refused[#refused + 1] = index
                else
                    fresh = true
                end
            end)
        end)
        table.sort(known)
        table.sort(refused)
        return known, refused, fresh
    end

    -- The reply while nothing may be pushed: only lines that were marked before
    -- have an outcome.  At the high-water mark a batch of only those uses its
    -- number: nil.
    local function turn_away()
        local known, refused, fresh = look_all()
        if reason == 3 and not fresh then
            reply = {1, now, total, unpack(refused)}
            return nil
        end
        if known[1] then
            redis.call('PEXPIRE', publisher, life * 1000)
        end
        local answer = {reason, now, total, unpack(known)}
        for _, index in ipairs(refused) do
            answer[#answer + 1] = index
        end
        return answer
    end

    -- Whether the mark of a release before is of this line; nil if there is
    -- none: it is made now.
    local function mark_seen(key, line)
        local was = call('SET', key, line, 'NX', 'GET', 'EX', window)
        if type(was) == 'table' then
            failure = failure or was
        elseif was then
            return was == line
        else
            made_seen[#made_seen + 1] = key
        end
    end

    -- Is the tag of a line marked with it?  nil: with nothing, it is to be
    -- pushed.
    local function same_before(was, mark, seen, line)
        local same, before = nil, nil
        if was then
            same = was == mark
        end
        if seen and same ~= false then
            before = mark_seen(seen, line)
        end
        if seen and before then
            live_on(seen)
        end
        if same == nil then
            same = before
        end
        return same
    end

    -- Makes marks of the fields, or renews their life if they are there.
    local function make(key, fields, pairs)
        local done = call('HSET', key, unpack(pairs))
        if type(done) ~= 'table' then
            made[#made + 1] = {key, fields}
            done = call('PEXPIRE', key, window_ms, 'GT')
        end
        if done == 0 then
            done = call('PEXPIRE', key, window_ms, 'NX')
        end
        if type(done) == 'table' then
            failure = failure or done
        end
    end

    -- Marks the lines of a group.
    local function mark_group(group)
        local found, wrong = find(group, call)
        failure = failure or wrong
        if failure then
            return
        end
        local to = group.kind == 's' and filled or 1
        local new, fields, pairs, found_there = {}, {}, {}, false
        for i = 1, group.n do
            local at = group.at + 3 * i - 3
            local number, field = marks[at], marks[at + 1]
            local mark = marks[at + 2]
            local was, k = mark_in(found, i, to)
            local same = same_before(was or new[field], mark,
                both and KEYS[group.seen + i - 1], lines[head + number])
            settled[number] = same
            if same and k == to then
                found_there = true
            elseif same ~= false and not new[field] then
                new[field] = mark
                if k ~= to then
                    fields[#fields + 1] = field
                    pairs[#pairs + 1] = field
                    pairs[#pairs + 1] = mark
                end
            end
        end
        if pairs[1] and not failure then
            make(group.keys[to], fields, pairs)
        elseif found_there then
            live_on(group.keys[to])
        end
    end

    if reason then
        local answer = turn_away()
        if answer then
            return answer
        end
    else
        each_group(mark_group)
    end
end

if reason then
    n = 0
elseif settled and next(settled) ~= nil then
    local rest = {}
    for i = 1, n do
        if settled[i] == nil then
            rest[#rest + 1] = lines[head + i]
        elseif not settled[i] then
            reply[#reply + 1] = i - 1
        end
    end
    lines, head, n = rest, 0, #rest
end

-- Moves the publisher to seq, counts the lines, then pushes them.
if not failure then
    reply[3] = total + n
    local moved = call('SET', publisher, number .. ' ' .. name .. ':' ..
        string.format(reply[3] < 1e9 and '%d' or '%.0f', reply[3]) .. ' ' ..
        (reply[INDEXES] and table.concat(reply, ' ', INDEXES) or ''),
        'EX', life)
    failure = moved.err and moved
end
if not failure then
    local added = call('HINCRBY', totals, 'published', n == 1 and '1' or n)
    failure = type(added) == 'table' and added
    for from = head + 1, failure and 0 or head + n, CHUNK do
        local to = math.min(from + CHUNK - 1, head + n)
        local done = call('LPUSH', ready, unpack(lines, from, to))
        if type(done) == 'table' then
            redis.call('HINCRBY', totals, 'published', -n)
            failure = done
            break
        end
    end
    if failure then
        redis.call('SET', publisher, record, 'EX', life)
    end
end
if not failure then
    if note then
        redis.call('SET', KEYS[6], note[1], 'EX', note[2])
    end
    return reply
end

-- A key is of another type: takes back the marks, too, not those of lines that
-- were pushed before.
for i = 1, marked or 0 do
    if settled[marks[3 * i - 2]] == nil then
        redis.call('HDEL', KEYS[4 + 2 * i + filled], marks[3 * i - 1])
    end
end
for _, of in ipairs(made or {}) do
    redis.call('HDEL', of[1], unpack(of[2]))
end
for _, key in ipairs(made_seen or {}) do
    redis.call('DEL', key)
end
return failure
