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
--        8 how many numbers to reply at most
-- Reply  numbers of batches: moved; the oldest one unacknowledged above the
--        row, 0 without; how many are lost, which neither is unacknowledged nor
--        was told before; by how many its last acknowledged one was higher
--        Or 'changed': the consumer is not what the caller takes it for, and
--        nothing was done.
--        Or 'again' and numbers of kept batches: the caller did not name the
--        lists of these, and maybe of more, and nothing was done.
--
-- All that is to be moved is moved by one call: whoever adopted a part of it
-- might acknowledge it, and hide that the rest is older.
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
-- above the first up to the second, that was told lost; then how often the
-- consumer was closed, or told of.

local consumers, owner, batches, kept, acknowledged, restored, closed, totals,
    order, size = unpack(KEYS, 1, 10)
local id, row, database = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local known, speaker = tonumber(ARGV[4]), ARGV[5]
local seen_last, seen_times, max = ARGV[6], ARGV[7], tonumber(ARGV[8])
local LISTS = 12
local NOBODY = '00000000-0000-0000-0000-000000000000'

local function now()
    local t = redis.call('TIME')
    return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- It is not kept any more, and does not give way (trim.lua).
local function forget(entry)
    redis.call('ZREM', kept, entry)
    if redis.call('ZREM', order, id .. ' ' .. entry) == 0 then
        return
    end
    local less_bytes, less = string.match(entry, ' (%d+) (%d+)$')
    local bytes, messages, short = string.match(redis.call('GET', size) or '',
        '^(%d+) (%d+) (%d+)$')
    redis.call('SET', size, string.format('%d %d %d',
        math.max((bytes or 0) - less_bytes, 0),
        math.max((messages or 0) - less, 0), short or 0))
end

-- Of each kept batch above the row that the database has counted: its entry,
-- its number, its list ...; and behind 'again' the numbers of those whose list
-- the caller did not name.
local function find(time)
    local found, again, lists = {}, {'again'}, {}
    for i = LISTS, #KEYS do
        lists[string.match(KEYS[i], ':(%d+)$')] = KEYS[i]
    end
    for _, entry in ipairs(redis.call('ZRANGEBYSCORE', kept, time, '+inf')) do
        local seq, counted_in = string.match(entry, '^([1-9]%d*) (%S+)')
        if seq and #seq <= 15 and tonumber(seq) > row
            and counted_in == database then
            local n = #found
            found[n + 1], found[n + 2], found[n + 3] = entry, seq, lists[seq]
            if not lists[seq] and #again <= max then
                again[#again + 1] = tonumber(seq)
            end
        end
    end
    return found, again
end

local function move(time, found)
    local moved = 0
    redis.call('ZREM', order, '') -- an error comes before anything is moved
    redis.call('GET', size)
    for i = 1, #found, 3 do
        local entry, seq, list = found[i], found[i + 1], found[i + 2]
        if redis.call('PERSIST', list) == 1 then
            redis.call('ZADD', batches, time, seq)
            redis.call('SADD', restored, seq)
            redis.call('HINCRBY', totals, 'acknowledged',
                -redis.call('LLEN', list))
            forget(entry)
            moved = moved + 1
        end
    end
    return moved
end

-- The unacknowledged ones above the row, ascending.
local function left()
    local seqs = {}
    for _, seq in ipairs(redis.call('ZRANGE', batches, 0, -1)) do
        if tonumber(seq) > row then
            seqs[#seqs + 1] = tonumber(seq)
        end
    end
    table.sort(seqs)
    return seqs
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
local times = tonumber(string.match(record, '%d+$'))
if seen_last ~= '' and (tonumber(seen_last) ~= last
    or tonumber(seen_times) ~= times) then
    return {'changed'}
end
local time = now()
local found, again = find(time)
if #again > 1 then
    return again
end
redis.call('HINCRBY', totals, 'acknowledged', 0) -- may it?
local moved = move(time, found)
local lost, at, ranges, seqs = 0, row, {}, left()
local oldest = seqs[1] or 0
for from, to in string.gmatch(record, '(%d+) (%d+) ') do
    ranges[#ranges + 1] = {tonumber(from), tonumber(to)}
end
seqs[#seqs + 1] = math.huge
for _, seq in ipairs(seqs) do
    local to, n = math.min(seq - 1, math.max(last, known)), 0
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
if leave or lost > 0 then
    times = times + 1
    local text = ''
    for _, r in ipairs(ranges) do
        text = text .. string.format('%d %d ', r[1], r[2])
    end
    redis.call('SET', closed, text .. times)
end
if leave then
    redis.call('SET', owner, NOBODY .. ' restored ' .. times)
end
if last > row then
    redis.call('SET', acknowledged, row)
end
return {moved, oldest, lost, math.max(last - row, 0)}
