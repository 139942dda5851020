#!lua flags=no-writes
-- survey: where all messages of a queue are at this moment, changing nothing.
--
-- KEYS   1 the ready list   2 the rejected list   3 the set of consumers
--        4 the totals of the queue   5 which database counts it
--        6 a key that nobody has
-- ARGV   1 what a consumer's keys begin with
--        2 payloads of the ready list that the caller has read, the oldest
--        3 the same of the rejected list
--        4 payloads to return of a list at most   5 bytes, but one payload
--        in any case
-- Reply  payloads ready, payloads rejected; the totals {1 if it is known where
--        they began, else 0; base; payloads acknowledged (identify.lua); those
--        missed (introduce.lua); the database, '' none}; of each of the two
--        lists the payloads {...} that are newer than those the caller has
--        read, not all if there are too many; then for each consumer {its id,
--        its last sequence number, and of each of its batches: seq,
--        payloads ...}

local prefix, max, max_bytes = ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5])
local CHUNK = 8 -- payloads read at once: large ones must not fill the memory

local function newer(list, length, known)
    local found, bytes = {}, 0
    local n = math.min(length - known, max)
    for from = 0, n - 1, CHUNK do
        local to = math.min(from + CHUNK, n) - 1
        for _, payload in ipairs(redis.call('LRANGE', list, from, to)) do
            bytes = bytes + #payload
            if bytes > max_bytes and #found > 0 then
                return found
            end
            found[#found + 1] = payload
        end
    end
    return found
end

local function totals()
    local n = redis.call('HMGET', KEYS[4], 'base', 'acknowledged', 'missed')
    local base, acknowledged = tonumber(n[1] or ''), tonumber(n[2] or '')
    return {base and 1 or 0, base or 0, acknowledged or 0,
        tonumber(n[3] or '') or 0, redis.call('GET', KEYS[5]) or ''}
end

local ready, rejected = redis.call('LLEN', KEYS[1]), redis.call('LLEN', KEYS[2])
local reply = {ready, rejected, totals(),
    newer(KEYS[1], ready, tonumber(ARGV[2])),
    newer(KEYS[2], rejected, tonumber(ARGV[3]))}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
    local keys = prefix .. id
    local one = {id, tonumber(redis.call('GET', keys .. '::last') or 0)}
    for _, seq in ipairs(redis.call('ZRANGE', keys .. '::batches', 0, -1))
    do
        one[#one + 1] = tonumber(seq)
        one[#one + 1] = redis.call('LLEN', keys .. '::batch::' .. seq)
    end
    reply[#reply + 1] = one
end
return reply
