#!lua flags=allow-oom
-- acknowledge: deletes batches of a consumer, after copying the payloads that
-- were rejected to the rejected list.
--
-- KEYS   1 the rejected list   2 the consumer's batches
--        3 its last sequence number   4 a key that nobody has
-- ARGV   1 what its batch lists begin with
--        2 the number of batches   3 ... their sequence numbers
--        then the rejects, sorted: seq, index (0 is the oldest) ...
-- Reply  the number of batches deleted, the consumer's last sequence number,
--        -1 if none is known
--
-- A batch that is not among the unacknowledged ones was acknowledged before,
-- whatever list there is, and its rejects are not copied again.  So a repeated
-- or late call does nothing.  A batch above the last number was never taken
-- here: this is another Redis, or one that has lost what it knew.  (adopt.lua
-- keeps the number of a consumer that it sweeps for a day.)
--
-- All copies are made before anything is deleted, and whatever can be refused
-- comes before them: an error reply means that nothing was done.  Allowed at
-- maxmemory: it frees more than it adds.

local rejected, batches, last, nobody = unpack(KEYS)
local prefix, n = ARGV[1], tonumber(ARGV[2])
local CHUNK = 16 -- payloads copied at once

-- The numbers of those that are unacknowledged, and the same as a set.
local function unacknowledged()
    local found, is = {}, {}
    for i = 3, 2 + n do
        if redis.call('ZSCORE', batches, ARGV[i]) then
            found[#found + 1] = ARGV[i]
            is[ARGV[i]] = true
        end
    end
    return found, is
end

-- Keys of the wrong type, and commands that the caller may not use.
local function check(seqs)
    redis.call('LLEN', rejected)
    redis.call('ZREM', batches, '')
    redis.call('UNLINK', nobody)
    for _, seq in ipairs(seqs) do
        redis.call('LLEN', prefix .. seq)
    end
end

-- A batch list's right end is its oldest payload.
local function copy_rejects(of)
    local payloads = {}
    for i = 3 + n, #ARGV, 2 do
        local payload = of[ARGV[i]] and
            redis.call('LINDEX', prefix .. ARGV[i], -1 - ARGV[i + 1])
        if payload then
            payloads[#payloads + 1] = payload
        end
        if #payloads == CHUNK then
            redis.call('LPUSH', rejected, unpack(payloads))
            payloads = {}
        end
    end
    if #payloads > 0 then
        redis.call('LPUSH', rejected, unpack(payloads))
    end
end

local known = tonumber(redis.call('GET', last) or '') or -1
local seqs, is = unacknowledged()
check(seqs)
copy_rejects(is)
for _, seq in ipairs(seqs) do
    redis.call('UNLINK', prefix .. seq)
    redis.call('ZREM', batches, seq)
end
return {#seqs, known}
