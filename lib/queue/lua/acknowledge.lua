#!lua flags=allow-oom
-- acknowledge: deletes batches of a consumer, or keeps them for a time, after
-- copying the payloads that were rejected to the rejected list.
--
-- KEYS   1 the rejected list   2 the consumer's batches
--        3 its last sequence number   4 a key that nobody has
--        5 its kept batches   6 its last acknowledged number
--        7 its restored batches   8 the totals of the queue
--        9 all kept batches of the queue   10 how large they are
--        11 when payloads were rejected   12 ... the lists of the batches
-- ARGV   1 the consumer's id
--        2 how long a batch is kept, milliseconds, 0: it is deleted
--        3 the id of the database that has counted them
--        4 the number of batches   5 ... their sequence numbers
--        then the rejects, sorted: seq, index (0 is the oldest) ...
-- Reply  the number of batches that were unacknowledged, the consumer's last
--        sequence number, -1 if none is known
--
-- A batch that is not among the unacknowledged ones was acknowledged before,
-- whatever list there is, and its rejects are not copied again.  So a repeated
-- or late call does nothing.  Those of a restored batch were copied when it was
-- acknowledged for the first time.  A batch above the last number was never
-- taken here: this is another Redis, or one that has lost what it knew.
-- (adopt.lua keeps the number of a consumer that it sweeps for a day.)
--
-- A kept batch is a list with a time to live, and in the set of kept ones
-- "SEQ DATABASE BYTES MESSAGES", with the time until which it is kept (Unix
-- milliseconds); the same, behind the consumer's id, is in the set of the
-- queue, of which trim.lua takes the oldest.
--
-- When a payload was rejected last is noted by its SHA-1, for who looks at dead
-- letters; equal payloads share one time.  The newest TIMES are kept.  Nothing
-- depends on them: behind the copies no error in a time ends the call.
--
-- All copies are made before anything is deleted, and whatever can be refused
-- comes before them: an error reply means that nothing was done.  Allowed at
-- maxmemory: it frees more than it adds.

local rejected, batches, last, nobody, kept, acknowledged, restored, totals,
    order, size, times = unpack(KEYS)
local id, keep, database = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local n, FIRST, LISTS = tonumber(ARGV[4]), 5, 12
local CHUNK = 16 -- payloads copied at once
local TIMES = 10000 -- 1.5 MB
local ENTRY_BYTES = 400 -- of a kept batch, beside its list

-- The numbers of those that are unacknowledged, and the set of those that are
-- so for the first time.
local list_of = {} -- by number
local function unacknowledged()
    local found, first = {}, {}
    for i = FIRST, FIRST - 1 + n do
        list_of[ARGV[i]] = KEYS[LISTS + i - FIRST]
        if redis.call('ZSCORE', batches, ARGV[i]) then
            found[#found + 1] = ARGV[i]
            first[ARGV[i]] =
                redis.call('SISMEMBER', restored, ARGV[i]) == 0
        end
    end
    return found, first
end

local function now()
    local t = redis.call('TIME')
    return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Keys of the wrong type, and commands that the caller may not use.  Returns
-- how many payloads the batches have.
local function check(seqs)
    local payloads = 0
    redis.call('LLEN', rejected)
    redis.call('ZREM', batches, '')
    redis.call('UNLINK', nobody)
    redis.call('ZREMRANGEBYSCORE', kept, '-inf', now())
    redis.call('SREM', restored, '')
    if keep > 0 then
        redis.call('ZREM', order, '')
        redis.call('GET', size)
        redis.call('MEMORY', 'USAGE', nobody)
        redis.call('PEXPIRE', nobody, keep)
    end
    if #ARGV >= FIRST + n then
        redis.call('ZADD', times, 'XX', 0, '')
        redis.call('ZRANGE', times, 0, 0)
        redis.call('ZREM', times, '')
    end
    for _, seq in ipairs(seqs) do
        payloads = payloads + redis.call('LLEN', list_of[seq])
    end
    redis.call('HINCRBY', totals, 'acknowledged', 0)
    return payloads
end

-- A batch list's right end is its oldest payload.  Returns the digests of what
-- was copied.
local function copy_rejects(of)
    local payloads, digests = {}, {}
    for i = FIRST + n, #ARGV, 2 do
        local payload = of[ARGV[i]] and
            redis.call('LINDEX', list_of[ARGV[i]], -1 - ARGV[i + 1])
        if payload then
            payloads[#payloads + 1] = payload
            digests[#digests + 1] = redis.sha1hex(payload)
        end
        if #payloads == CHUNK then
            redis.call('LPUSH', rejected, unpack(payloads))
            payloads = {}
        end
    end
    if #payloads > 0 then
        redis.call('LPUSH', rejected, unpack(payloads))
    end
    return digests
end

local function note_times(digests)
    local at = now()
    for from = 1, #digests, CHUNK do
        local entries = {}
        for i = from, math.min(from + CHUNK - 1, #digests) do
            entries[#entries + 1] = at
            entries[#entries + 1] = digests[i]
        end
        redis.pcall('ZADD', times, unpack(entries))
    end
    local old = redis.pcall('ZRANGE', times, 0, -TIMES - 1)
    for from = 1, #old, CHUNK do
        redis.pcall('ZREM', times, unpack(old, from,
            math.min(from + CHUNK - 1, #old)))
    end
end

-- Keeps a batch, and adds it to the sizes {bytes, messages, ...}.
local function keep_batch(seq, untl, sizes)
    local list = list_of[seq]
    local bytes = ENTRY_BYTES +
        (redis.call('MEMORY', 'USAGE', list, 'SAMPLES', 0) or 0)
    local messages = redis.call('LLEN', list)
    local entry = string.format('%s %s %d %d', seq, database, bytes, messages)
    redis.call('ZADD', kept, untl, entry)
    redis.call('ZADD', order, untl, id .. ' ' .. entry)
    redis.call('PEXPIRE', list, keep)
    sizes[1], sizes[2] = sizes[1] + bytes, sizes[2] + messages
end

local function read_sizes()
    local bytes, messages, short = string.match(redis.call('GET', size) or '',
        '^(%d+) (%d+) (%d+)$')
    return {tonumber(bytes or 0), tonumber(messages or 0), tonumber(short or 0)}
end

local function keep_all(seqs)
    local untl, sizes = now() + keep, read_sizes()
    for _, seq in ipairs(seqs) do
        keep_batch(seq, untl, sizes)
    end
    redis.call('SET', size, string.format('%d %d %d', unpack(sizes)))
end

local known = tonumber(redis.call('GET', last) or '') or -1
local highest = tonumber(redis.call('GET', acknowledged) or 0)
local seqs, first = unacknowledged()
local payloads = check(seqs)
if #seqs == 0 then
    return {0, known}
end
local digests = copy_rejects(first)
if #digests > 0 then
    note_times(digests)
end
if keep > 0 then
    keep_all(seqs)
else
    for _, seq in ipairs(seqs) do
        redis.call('UNLINK', list_of[seq])
    end
end
for _, seq in ipairs(seqs) do
    redis.call('ZREM', batches, seq)
    redis.call('SREM', restored, seq)
    highest = math.max(highest, tonumber(seq))
end
redis.call('HINCRBY', totals, 'acknowledged', payloads)
redis.call('SET', acknowledged, highest)
return {#seqs, known}
