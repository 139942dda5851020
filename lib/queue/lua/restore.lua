#!lua flags=allow-oom
-- restore: makes the kept batches of a consumer unacknowledged again that a
-- ledger which went back does not have.
--
-- KEYS   1 the set of consumers   2 the consumer's owner key   3 its batches
--        4 its kept batches   5 its last acknowledged number
--        6 its restored batches   7 the record that it is closed
--        8 the totals of the queue, which lose what is moved
--        9 all kept batches of the queue   10 how large they are
--        11 a key that nobody has   12 ... lists of its kept batches, each
--        with its number at the end
-- ARGV   1 the consumer's id
--        2 its ledger row: batches up to that number are in the table
--        3 the id of the database that has the row
--        4 the last batch that the caller knows of: what is missing up to it
--        is lost
--        5 the speaker that lets the consumer go if an older batch than those
--        that it has is left, the nil UUID: none
--        6 its last acknowledged number and how often it was closed, as
--        numbers.lua told the caller before the row was read; both '': any
--        7 the second of these
--        8 how many batches to move, and numbers to reply, at most
--        9 how many kept ones to look at, at most   10 how many to pass over,
--        the newest first, and what the restore that goes on began with: both
--        from the last reply, first 0
--        11 the second of these
-- Reply  numbers of batches: moved; the oldest one unacknowledged above the
--        row, 0 without; how many are lost, which neither is unacknowledged nor
--        was told before; by how many its last acknowledged one was higher
--        Or 'changed': the consumer is not what the caller takes it for, and
--        nothing was done.
--        Or 'again' and numbers of kept batches: the caller did not name the
--        lists of these, and maybe of more, and nothing was done.
--        Or 'part', ARGV 10 and 11 of the next call, and such numbers: it was
--        not all.  The reply to the last part is about all of them.
--
-- A restore in parts is noted in the record, with the number that was the last
-- acknowledged one before, and that one is the row from then on.  So a restore
-- that has ended before its end is found by whoever looks at numbers; and if a
-- batch is acknowledged meanwhile, which may be kept where the next part does
-- not look, the number is another one, and the next part is answered 'changed'.
-- Another restore of the same row joins it.
--
-- If a batch above the row was acknowledged, the consumer is closed for good:
-- it can neither renew itself nor take, since its next number would leave a
-- gap.  It can only be adopted.
--
-- A consumer that is closed or let go gets an owner that is no process, and a
-- different one each time: an adoption that arrives late expects another
-- owner, so it can't miss the batches that were moved.
--
-- Repeated, nothing more is moved, and nothing told.  A check that comes late,
-- with a row that has moved since, is answered 'changed': otherwise it would
-- tell a loss of batches that were counted since.  (One exception: an
-- acknowledgement that comes late and makes its number the last one hides
-- that older batches are acknowledged after it.)
--
-- Limit: a call without ARGV 6 is not answered 'changed'.  If it comes late,
-- after another owner had the missing batches counted and acknowledged, its
-- caller is gone, and the last acknowledged number is the row again until the
-- next acknowledgement.  Nothing is counted twice or lost by that, but if the
-- ledger goes back meanwhile, the loss above the row is told by nobody.
--
-- The record that the consumer is closed: FROM TO of each range of numbers,
-- above the first up to the second, that was told lost; then, within a restore
-- in parts, "restoring:LAST:MOVED:BEGUN", the last acknowledged number, how
-- many were moved, how often it was closed as that began; then how often the
-- consumer was closed, or told of.

local consumers, owner, batches, kept, acknowledged, restored, closed, totals,
    order, size = unpack(KEYS, 1, 10)
local id, row, database = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local known, speaker = tonumber(ARGV[4]), ARGV[5]
local seen_last, seen_times, max = ARGV[6], ARGV[7], tonumber(ARGV[8])
local looks, passed, begun = tonumber(ARGV[9]), tonumber(ARGV[10]),
    tonumber(ARGV[11])
local LISTS = 12
local CHUNK = 30 -- Redis keeps the arguments of calls as short as that
local NOBODY = '00000000-0000-0000-0000-000000000000'

local function now()
    local t = redis.call('TIME')
    return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Calls a command for items, `each` arguments an item, some at a time.
local function call_for(command, key, items, each)
    for from = 1, #items, CHUNK * each do
        redis.call(command, key, unpack(items, from,
            math.min(from + CHUNK * each - 1, #items)))
    end
end

-- They are not kept any more, and do not give way (trim.lua).
local function forget(entries)
    local n, less_bytes, less = 0, 0, 0
    call_for('ZREM', kept, entries, 1)
    for _, entry in ipairs(entries) do
        if redis.call('ZREM', order, id .. ' ' .. entry) == 1 then
            local bytes, messages = string.match(entry, ' (%d+) (%d+)$')
            n, less_bytes, less = n + 1, less_bytes + bytes, less + messages
        end
    end
    if n == 0 then
        return
    end
    local bytes, messages, short = string.match(redis.call('GET', size) or '',
        '^(%d+) (%d+) (%d+)$')
    redis.call('SET', size, string.format('%d %d %d',
        math.max((bytes or 0) - less_bytes, 0),
        math.max((messages or 0) - less, 0), short or 0))
end

-- Of kept batches above the row that the database has counted: those whose
-- list the caller named, {entry, number, list}; the numbers of others; how many
-- kept ones come before the first of these, less than were found; and whether
-- it looked at all there are.
local function find(time)
    local found, others, before, lists = {}, {}, 0, {}
    for i = LISTS, #KEYS do
        lists[string.match(KEYS[i], ':(%d+)$')] = KEYS[i]
    end
    local entries = redis.call('ZRANGE', kept, '+inf', time, 'BYSCORE', 'REV',
        'LIMIT', passed, looks)
    for _, entry in ipairs(entries) do
        local seq, counted_in = string.match(entry, '^([1-9]%d*) (%S+)')
        if not seq or #seq > 15 or tonumber(seq) <= row
            or counted_in ~= database then
            before = before + (#others == 0 and 1 or 0)
        elseif lists[seq] and #found < max then
            found[#found + 1] = {entry, seq, lists[seq], #others == 0}
        elseif #others < max then
            others[#others + 1] = tonumber(seq)
        end
    end
    return found, others, before, #entries < looks
end

-- Returns how many batches were moved, the highest of these, and how many
-- entries stay before the first one that the caller did not name, since they
-- have no list.
local function move(time, found)
    local entries, numbers, scores = {}, {}, {}
    local messages, highest, stay = 0, 0, 0
    redis.call('ZREM', order, '') -- an error comes before anything is moved
    redis.call('GET', size)
    for _, one in ipairs(found) do
        local entry, seq, list, is_before = unpack(one)
        if redis.call('PERSIST', list) == 1 then
            entries[#entries + 1] = entry
            numbers[#numbers + 1] = seq
            scores[#scores + 1], scores[#scores + 2] = time, seq
            highest = math.max(highest, seq)
            messages = messages + redis.call('LLEN', list)
        elseif is_before then
            stay = stay + 1
        end
    end
    if #entries > 0 then
        call_for('ZADD', batches, scores, 2)
        call_for('SADD', restored, numbers, 1)
        redis.call('HINCRBY', totals, 'acknowledged', -messages)
        forget(entries)
    end
    return #entries, highest, stay
end

-- Sorts numbers above the row: by place if they are dense, which takes a tenth
-- of the time for 100,000.
local function sort(seqs, highest)
    if highest - row > 4 * #seqs then
        table.sort(seqs)
        return seqs
    end
    local is_there, sorted = {}, {}
    for i = 1, highest - row do
        is_there[i] = false
    end
    for _, seq in ipairs(seqs) do
        is_there[seq - row] = true
    end
    for i = 1, highest - row do
        if is_there[i] then
            sorted[#sorted + 1] = row + i
        end
    end
    return sorted
end

-- The unacknowledged ones above the row, ascending, or false if none is missing
-- up to a number; and the oldest of them, 0 without.
local function left(up_to)
    local seqs, n, within, oldest, highest = {}, 0, 0, math.huge, row
    for _, text in ipairs(redis.call('ZRANGE', batches, 0, -1)) do
        local seq = tonumber(text)
        if seq > row then
            n = n + 1
            seqs[n] = seq
            within = within + (seq <= up_to and 1 or 0)
            oldest = seq < oldest and seq or oldest
            highest = seq > highest and seq or highest
        end
    end
    oldest = n > 0 and oldest or 0
    return row + within < up_to and sort(seqs, highest), oldest
end

-- Adds the numbers above `from`, up to `to`, to the ranges told lost.  Returns
-- how many of them were in none, and all ranges, of which none touches another.
local function lose(ranges, from, to)
    local n, others, low, high = to - from, {}, from, to
    for _, r in ipairs(ranges) do
        n = n - math.max(math.min(to, r[2]) - math.max(from, r[1]), 0)
        if r[1] <= to and r[2] >= from then
            low, high = math.min(low, r[1]), math.max(high, r[2])
        else
            others[#others + 1] = r
        end
    end
    others[#others + 1] = {low, high}
    return n, others
end

if redis.call('SISMEMBER', consumers, id) == 0 then
    return {0, 0, 0, 0}
end
local last = tonumber(redis.call('GET', acknowledged) or 0)
local record = redis.call('GET', closed) or '0'
local times, ranges = tonumber(string.match(record, '%d+$')), {}
for from, to in string.gmatch(record, '(%d+) (%d+) ') do
    ranges[#ranges + 1] = {tonumber(from), tonumber(to)}
end
local was_last, were_moved, since =
    string.match(record, 'restoring:(%d+):(%d+):(%d+) ')
local top = math.max(last, was_last or 0)
local joins = since and last == row
local is_as_seen
if begun > 0 then
    is_as_seen = joins and tonumber(since) == begun
elseif passed > 0 then
    is_as_seen = top <= row
else
    is_as_seen = seen_last == ''
        or tonumber(seen_last) == last and tonumber(seen_times) == times
end
if not is_as_seen then
    return {'changed'}
end

-- Notes that it is closed or told of once more, and up to where batches were
-- acknowledged if not all were moved.
local function note(up_to, moved)
    local text = ''
    times = times + 1
    for _, r in ipairs(ranges) do
        text = text .. string.format('%d %d ', r[1], r[2])
    end
    if up_to then
        since = joins and since or times
        text = text .. string.format('restoring:%.0f:%d:%d ', up_to, moved,
            since)
    end
    redis.call('SET', closed, text .. times)
end

local function disown()
    redis.call('SET', owner, NOBODY .. ' restored ' .. times)
end

local time = now()
local found, others, before, is_all = find(time)
if #found == 0 and #others > 0 then
    return {'again', unpack(others)}
end
redis.call('HINCRBY', totals, 'acknowledged', 0) -- may it?
local moved, highest, stay = move(time, found)
if #others > 0 or not is_all then
    if moved > 0 or top > row and not joins then
        note(math.max(top, highest), (were_moved or 0) + moved)
        disown()
        redis.call('SET', acknowledged, row)
    elseif not joins then
        since = nil -- what another one has left, below the row, is over
    end
    return {'part', passed + before + stay, tonumber(since or 0),
        unpack(others)}
end
local lost, at, up_to = 0, row, math.max(top, known)
local missing_in, oldest = left(up_to)
if missing_in then
    missing_in[#missing_in + 1] = math.huge
end
for _, seq in ipairs(missing_in or {}) do
    local to, n = math.min(seq - 1, up_to), 0
    if to > at then
        n, ranges = lose(ranges, at, to)
    end
    lost, at = lost + n, seq
end
local was = redis.call('GET', owner)
local let_go = speaker ~= NOBODY and was
    and string.sub(was, 1, #speaker) == speaker
    and oldest > 0 and oldest <= known
local leave = moved > 0 or last > row or let_go
if leave or lost > 0 or since then
    note()
end
if leave then
    disown()
end
if last > row then
    redis.call('SET', acknowledged, row)
end
return {moved + (were_moved or 0), oldest, lost, math.max(top - row, 0)}
