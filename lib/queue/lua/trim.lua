#!lua flags=allow-oom
-- trim: lets kept batches give way, the oldest first, before a Redis with a
-- maxmemory would refuse increments because of them.
--
-- KEYS   1 all kept batches of the queue   2 how large they are
--        3 a key that nobody has
-- ARGV   1 what a consumer's keys begin with   2 batches of one call at most
--        3 messages kept at most, 0: as many as there is memory for
-- Reply  batches that gave way before their time, the messages in them; 1 if
--        there are more to be looked at, else 0; batches that are kept, their
--        bytes; for how many milliseconds a batch is missing that gave way
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
local prefix, max, max_messages = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local record = redis.call('GET', size) or '0 0 0'
local bytes, messages, short = string.match(record, '^(%d+) (%d+) (%d+)$')
bytes, messages, short = tonumber(bytes or 0), tonumber(messages or 0),
    tonumber(short or 0)

-- Takes an entry out of the sets.  Returns its batch list, nil if that is not
-- kept; its bytes and messages; what the keys of its consumer begin with.
local function forget(entry)
    local id, rest, seq, b, n =
        string.match(entry, '^(%S+) ((%d+) %S+ (%d+) (%d+))$')
    redis.call('ZREM', order, entry)
    if not id then
        return nil, 0, 0
    end
    bytes, messages = math.max(bytes - b, 0), math.max(messages - n, 0)
    local keys = prefix .. id
    if redis.call('ZREM', keys .. '::kept', rest) == 0
        or redis.call('ZSCORE', keys .. '::batches', seq) then
        return nil, tonumber(b), tonumber(n)
    end
    return keys .. '::batch::' .. seq, tonumber(b), tonumber(n), keys
end

local function expire()
    local over = redis.call('ZRANGEBYSCORE', order, '-inf', now,
        'LIMIT', 0, max)
    for _, entry in ipairs(over) do
        forget(entry)
    end
    return #over
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

local looked, gone, gone_messages = expire(), 0, 0
local kept = redis.call('ZCARD', order)
local over, too_many = 0, 0
if kept > 0 then
    over, too_many = excess()
end
while (over > 0 or too_many > 0) and looked < max do
    local oldest = redis.call('ZRANGE', order, 0, 0, 'WITHSCORES')
    if not oldest[1] then
        break
    end
    local list, b, n, keys = forget(oldest[1])
    if list then
        redis.call('DEL', list)
        redis.call('ZADD', keys .. '::kept', 'GT', oldest[2], '0 -')
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
return {gone, gone_messages, looked == max and kept > 0 and 1 or 0, kept, bytes,
    math.max(short - now, 0)}
