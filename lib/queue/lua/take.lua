#!lua flags=allow-oom
-- take: makes batch seq of a consumer from the oldest ready payloads.
--
-- KEYS   1 the ready list   2 the set of consumers   3 the owner key
--        4 last sequence number   5 batches   6 the list of batch seq
--        7 when the ready list was last known to be empty
--        8 the consumer's flush mark   9 the totals of the queue
--        10 a key that nobody has
-- ARGV   1 the consumer's id   2 seq, from 1   3 payloads at most
--        4 bytes at most, but at least one payload is taken
--        5 unacknowledged batches at most
--        6 age of the oldest of them at most, milliseconds
--        7 '1': only once there is a flush mark, '' also before the first
-- Reply  'taken', when, since when its payloads may have waited at most
--        (Unix milliseconds): the list of batch seq is there
--        'empty' nothing is ready, seq is not used
--        'full' too many unacknowledged batches, or too old ones
--        'notowner' registered, but not its own owner just now
--        'unmarked' the mark of its incr-flush has run out, or is missing
--        'gone' not registered, or seq is not the next one
--
-- A batch list is part of the ready list as it was: its right end is the
-- oldest payload.  LRANGE reads it, at a quarter of what a script would cost
-- that returned it.
--
-- All that waits becomes the batch by RENAME, a part by SORT BY nosort STORE,
-- which copies within the server, in the list's own order, on replicas and from
-- the AOF as well.  How large a part is is known only once it is copied, so
-- some of its payloads are looked at before; one that has large payloads, or
-- proves too large, is read and pushed chunk by chunk, at twice the cost.
--
-- Payloads have no time of their own, whoever published them: what is ready
-- was published after the list was last empty, if that is known.  What an idle
-- queue notes of that is for this server alone: in the AOF and on replicas it
-- was empty earlier, which is true as well.  The first note, one in each half
-- of a day, and one after the clock was set back, are for them: with none
-- there, or one that has expired, payloads would look as if they had not
-- waited.
--
-- Repeated while the batch is unacknowledged: the same batch, with the time it
-- was taken for both; the last number is written as it is, so that WAIT behind
-- this call includes the batch.  Repeated after it was acknowledged, or late:
-- 'gone', nothing done.  An error means that nothing was taken.  Allowed at
-- maxmemory: it only moves what is there, and lets it be acknowledged.

local ready, consumers, owner, last, batches, batch, emptied, flush, totals =
    unpack(KEYS)
local id, seq, max = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local max_bytes = tonumber(ARGV[4])
local max_batches, max_age = tonumber(ARGV[5]), tonumber(ARGV[6])
local strict = ARGV[7] == '1'
-- Payloads read at once: few enough that large ones don't fill the memory
-- before they are counted, more while they are small.
local CHUNK_MIN, CHUNK_MAX, CHUNK_BYTES = 4, 100, 1048576
-- Of so many payloads one is looked at before they are copied at once, and it
-- has that many bytes at most.
local SAMPLE_EVERY, SAMPLE_MAX = 100, 65536
-- An idle queue is noted as empty that often (milliseconds), and for that
-- long (seconds).
local EMPTY_EVERY, EMPTY_LIFE = 250, 86400
-- The longest life of a mark, the same once there is something to flush: an
-- idle one is renewed every 2 s (both milliseconds); that of its key (seconds).
local MARK_LIFE, TAKEN_LIFE, MARK_KEY = 5000, 2500, 86400

local function now()
    local t = redis.call('TIME')
    return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Until when does the flush mark live?  nil if there is none.  It may live for
-- so long, and no longer, also if the clock was set back.
local function mark_until(time, life)
    local mark = redis.call('GET', flush)
    if not mark then
        return nil
    end
    local untl = tonumber(string.match(mark, '^%d+')) or 0
    if untl > time + life then
        untl = time + life
        redis.call('SET', flush, (string.gsub(mark, '^%d+',
            string.format('%d', untl))), 'EX', MARK_KEY)
    end
    return untl
end

-- Would what is taken now be counted in time?
local function marked(time)
    local untl = mark_until(time, MARK_LIFE)
    if not untl then
        return not strict
    end
    return untl > time
end

-- May the consumer take another batch?  nil, or the reason why not.
local function refusal(time)
    if redis.call('ZCARD', batches) >= max_batches then
        return 'full'
    end
    local oldest = redis.call('ZRANGE', batches, 0, 0, 'WITHSCORES')
    if oldest[2] and time - tonumber(oldest[2]) > max_age then
        return 'full'
    end
end

-- Drops payloads of a chunk from the left (the newest) until bytes fit; at
-- least `keep` stay.  Returns the chunk and its bytes.
local function cut(chunk, room, keep)
    local bytes, first = 0, #chunk + 1
    while first > 1 do
        local more = bytes + #chunk[first - 1]
        if more > room and #chunk + 1 - first >= keep then
            break
        end
        bytes, first = more, first - 1
    end
    if first == 1 then
        return chunk, bytes, true
    end
    return {unpack(chunk, first)}, bytes, false
end

-- Reads the oldest payloads.  Returns chunks, right to left, their number.
local function oldest_payloads()
    local chunks, count, bytes, size = {}, 0, 0, CHUNK_MIN
    while count < max do
        size = math.min(size, max - count)
        local chunk = redis.call('LRANGE', ready, -count - size, -count - 1)
        local asked, read, whole = #chunk, 0, true
        chunk, read, whole = cut(chunk, max_bytes - bytes,
            count == 0 and 1 or 0)
        if #chunk > 0 then
            chunks[#chunks + 1] = chunk
        end
        count, bytes = count + #chunk, bytes + read
        if not whole or asked < size then
            break
        end
        size = read > CHUNK_BYTES and CHUNK_MIN
            or math.min(size * 2, CHUNK_MAX)
    end
    return chunks, count
end

-- Does a list have few enough bytes?  The memory it takes is more than those,
-- unless the server compresses lists.
local function fits(list)
    return redis.call('MEMORY', 'USAGE', list, 'SAMPLES', 0) <= max_bytes
end

-- Is it worth trying to copy at once?  Not if one of every hundred payloads is
-- large, or if all have too many bytes by those.  That bounds nothing: payloads
-- in between may have any size, and fits() tells only once they are copied.
local function look_small()
    local bytes = 0
    for i = 1, max, SAMPLE_EVERY do
        local len = #redis.call('LINDEX', ready, -i)
        bytes = bytes + len
        if len > SAMPLE_MAX or bytes * SAMPLE_EVERY > max_bytes then
            return false
        end
    end
    return true
end

-- Makes the oldest payloads the batch.  Returns how many, 0 if they are too
-- large: then there is no batch.
local function copy_oldest(waiting)
    if not look_small() then
        return 0
    end
    redis.call('SORT', ready, 'BY', 'nosort', 'LIMIT', waiting - max, max,
        'STORE', batch)
    if fits(batch) then
        return max
    end
    redis.call('LTRIM', batch, 1, 0)
    return 0
end

-- The same one chunk after the other, or nothing if that is all that waits.
local function push_oldest(waiting)
    local chunks, count = oldest_payloads()
    for i = #chunks, 1, -1 do
        if count < waiting then
            redis.call('RPUSH', batch, unpack(chunks[i]))
        end
    end
    return count
end

-- Commands that the caller may not use, each where it changes nothing; but
-- SORT and RPUSH come first.
local function check()
    redis.call('SET', last, 0, 'NX')
    redis.call('ZADD', batches, 'XX', 0, '')
    redis.call('LTRIM', batch, 0, -1)
    redis.call('MEMORY', 'USAGE', batch, 'SAMPLES', 1)
    redis.call('RENAME', ready, ready)
    redis.call('HINCRBY', totals, 'published', 0)
end

-- A key that lives longer than that is in the AOF and on replicas, for as long.
local function note_empty(time, since)
    if since <= time and redis.call('PTTL', emptied) > EMPTY_LIFE * 500 then
        redis.set_repl(redis.REPL_NONE)
        redis.call('SET', emptied, time, 'KEEPTTL')
    else
        redis.call('SET', emptied, time, 'EX', EMPTY_LIFE)
    end
end

if redis.call('SISMEMBER', consumers, id) == 0 then
    return {'gone'}
end
local record = redis.call('GET', owner)
if not record or string.sub(record, 1, #id) ~= id then
    return {'notowner'}
end
local taken = redis.call('ZSCORE', batches, seq)
if taken then
    local was = redis.call('GET', last)
    if was then
        redis.call('SET', last, was, 'KEEPTTL')
    end
    return {'taken', taken, taken}
end
if seq ~= tonumber(redis.call('GET', last) or -1) + 1 then
    return {'gone'}
end
local time = now()
if not marked(time) then
    return {'unmarked'}
end
local reason = refusal(time)
if reason then
    return {reason}
end
local since = tonumber(redis.call('GET', emptied) or time)
local waiting = redis.call('LLEN', ready)
if waiting == 0 then
    -- Also if it never was, or by a clock that was set back.
    if since >= time or time - since >= EMPTY_EVERY then
        note_empty(time, since)
    end
    return {'empty'}
end

check()
local count = waiting
if waiting > max then
    count = copy_oldest(waiting)
elseif not fits(ready) then
    count = 0
end
if count == 0 then
    count = push_oldest(waiting)
end
if count == waiting then
    redis.call('RENAME', ready, batch)
    redis.call('SET', emptied, time, 'EX', EMPTY_LIFE)
else
    redis.call('LTRIM', ready, 0, -count - 1)
end
mark_until(time, TAKEN_LIFE)
redis.call('ZADD', batches, time, seq)
redis.call('SET', last, seq)
redis.call('HINCRBY', totals, 'taken', count)
return {'taken', time, math.min(since, time)}
