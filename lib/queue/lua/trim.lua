#!lua flags=allow-oom
-- trim: lets kept batches give way, the oldest first, before a Redis with a
-- maxmemory would refuse increments because of them.
--
-- KEYS   1 all kept batches of the queue   2 how large they are
--        3 a key that nobody has   4 ... of each batch that may give way the
--        kept ones of its consumer, the unacknowledged ones, its list
-- ARGV   1 batches of one call at most
--        2 messages kept at most, 0: as many as there is memory for
--        3 ... of each of these batches its consumer, its number
-- Reply  batches that gave way before their time, the messages in them; 1 if
--        there are more to be looked at, else 0; batches that are kept, their
--        bytes; for how many milliseconds a batch is missing that gave way; if
--        there are more, the batches that come next: {consumer, number, ...}
--
-- It ends at a batch that the caller did not name.
--
-- With a maxmemory, kept batches have half the bytes of incr-publish's
-- high-water mark, which is three quarters of it; and none of them stay while
-- more than three quarters are used, whatever for.
--
-- A member of the set of the queue is "CONSUMER SEQ DATABASE BYTES MESSAGES",
-- its score the time until which the batch is kept.  Their sizes are "BYTES
-- MESSAGES SHORT", SHORT the latest such time of a batch that gave way.  A
-- batch that an older release keeps is not in the set: its time alone ends it.
--
-- A consumer whose batches gave way keeps "0 -" until their time is over.  So
-- it is not swept, and restore.lua can tell what is lost.
--
-- A batch that is unacknowledged is left alone, whatever the sets say.
-- Repeated or late: it goes by what is there.

local order, size = KEYS[1], KEYS[2]
local max, max_messages = tonumber(ARGV[1]), tonumber(ARGV[2])
local NO_ID = '00000000-0000-0000-0000-000000000000'

local place = {} -- of the keys of a batch that the caller named
for i = 3, #ARGV, 2 do
    place[ARGV[i] .. ' ' .. ARGV[i + 1]] = 4 + (i - 3) / 2 * 3
end

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local record = redis.call('GET', size) or '0 0 0'
local bytes, messages, short = string.match(record, '^(%d+) (%d+) (%d+)$')
bytes, messages, short = tonumber(bytes or 0), tonumber(messages or 0),
    tonumber(short or 0)

-- The consumer and the number of the batch of an entry, nil if it is no entry;
-- the entry in the set of its consumer, its bytes and messages.
local function parse(entry)
    local id, rest, seq, b, n =
        string.match(entry, '^(%S+) (([1-9]%d*) %S+ (%d+) (%d+))$')
    if id and #seq <= 15 and string.gsub(id, '[0-9a-f]', '0') == NO_ID then
        return id, seq, rest, b, n
    end
end

local function is_named(entry)
    local id, seq = parse(entry)
    return not id or place[id .. ' ' .. seq] ~= nil
end

-- Takes an entry out of the sets.  Returns its batch list, nil if that is not
-- kept; its bytes and messages; the kept ones of its consumer.
local function forget(entry)
    local id, seq, rest, b, n = parse(entry)
    redis.call('ZREM', order, entry)
    if not id then
        return nil, 0, 0
    end
    bytes, messages = math.max(bytes - b, 0), math.max(messages - n, 0)
    local kept, batches, list = unpack(KEYS, place[id .. ' ' .. seq],
        place[id .. ' ' .. seq] + 2)
    if redis.call('ZREM', kept, rest) == 0
        or redis.call('ZSCORE', batches, seq) then
        return nil, tonumber(b), tonumber(n)
    end
    return list, tonumber(b), tonumber(n), kept
end

local function expire()
    local over = redis.call('ZRANGEBYSCORE', order, '-inf', now,
        'LIMIT', 0, max)
    for i, entry in ipairs(over) do
        if not is_named(entry) then
            return i - 1, true
        end
        forget(entry)
    end
    return #over, false
end

-- Bytes and messages that are too many.
local function excess()
    local info = redis.call('INFO', 'memory')
    local function field(name)
        return tonumber(string.match(info, '\n' .. name .. ':(%d+)') or 0)
    end
    local maxmemory, most = field('maxmemory'), 0
    if maxmemory > 0 then
        local used = field('used_memory') - field('mem_not_counted_for_evict')
        most = math.max(bytes - maxmemory * 3 / 8, used - maxmemory * 3 / 4)
    end
    return most, max_messages > 0 and messages - max_messages or 0
end

-- Those that come next.
local function next_ones()
    local list = {}
    for _, entry in ipairs(redis.call('ZRANGE', order, 0, max - 1)) do
        local id, seq = parse(entry)
        if id then
            list[#list + 1] = id
            list[#list + 1] = tonumber(seq)
        end
    end
    return list
end

local looked, unnamed = expire()
local gone, gone_messages = 0, 0
local kept = redis.call('ZCARD', order)
local over, too_many = 0, 0
if kept > 0 then
    over, too_many = excess()
end
while (over > 0 or too_many > 0) and looked < max and not unnamed do
    local oldest = redis.call('ZRANGE', order, 0, 0, 'WITHSCORES')
    if not oldest[1] then
        break
    end
    unnamed = not is_named(oldest[1])
    if unnamed then
        break
    end
    local list, b, n, of = forget(oldest[1])
    if list then
        redis.call('DEL', list)
        redis.call('ZADD', of, 'GT', oldest[2], '0 -')
        short = math.max(short, tonumber(oldest[2]))
        gone, gone_messages = gone + 1, gone_messages + n
    end
    looked, over, too_many = looked + 1, over - b, too_many - n
end

kept = redis.call('ZCARD', order)
if kept == 0 and short <= now then
    redis.call('DEL', size)
elseif looked > 0 then
    redis.call('SET', size, kept == 0 and '0 0 ' .. string.format('%d', short)
        or string.format('%d %d %d', bytes, messages, short))
end
local more = unnamed or looked == max and kept > 0
return {gone, gone_messages, more and 1 or 0, kept, bytes,
    math.max(short - now, 0), more and next_ones() or {}}
