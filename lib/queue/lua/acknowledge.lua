#!lua flags=allow-oom
-- acknowledge: deletes batches of a consumer, after copying the payloads that
-- were rejected to the rejected list.
--
-- KEYS   1 the rejected list   2 the consumer's batches
-- ARGV   1 what its batch lists begin with
--        2 the number of batches   3 ... their sequence numbers
--        then the rejects, sorted: seq, index (0 is the oldest) ...
-- Reply  the number of batches deleted
--
-- A batch that is not among the unacknowledged ones was acknowledged before,
-- whatever list there is, and its rejects are not copied again.  So a repeated
-- or late call does nothing.
-- All copies are made before anything is deleted; an error reply means that
-- nothing was.  Allowed at maxmemory: it frees more than it adds.

local rejected, batches = KEYS[1], KEYS[2]
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

local seqs, is = unacknowledged() -- an error here comes before any change
copy_rejects(is)
for _, seq in ipairs(seqs) do
    redis.call('UNLINK', prefix .. seq)
    redis.call('ZREM', batches, seq)
end
return #seqs
