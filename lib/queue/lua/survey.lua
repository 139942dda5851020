#!lua flags=no-writes
-- survey: where all messages of a queue are at this moment, changing nothing.
--
-- KEYS   1 the ready list   2 the rejected list   3 the set of consumers
--        4 the totals of the queue   5 which database counts it
--        6 a key that nobody has   7 ... of each consumer its last number,
--        its batches, and lists of batches
-- ARGV   1 payloads of the ready list that the caller has read, the oldest
--        2 the same of the rejected list
--        3 payloads to return of a list at most   4 bytes, but one payload
--        in any case
--        5 ... of each of these consumers its id, how many lists, and the
--        numbers of these batches
-- Reply  payloads ready, payloads rejected; the totals {1 if it is known where
--        they began, else 0; base; payloads acknowledged (identify.lua); those
--        missed (introduce.lua); the database, '' none}; of each of the two
--        lists the payloads {...} that are newer than those the caller has
--        read, not all if there are too many; then for each consumer {its id,
--        its last sequence number, and of each of its batches: seq,
--        payloads ...}
--        Or 'again' and, for each consumer, {its id, its last number if the
--        caller named its keys, the numbers of its batches ...}: the caller did
--        not name the lists of all batches.

local max, max_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local FIRST, WORDS = 7, 5
local NO_ID = '00000000-0000-0000-0000-000000000000'
local CHUNK = 8 -- payloads read at once: large ones must not fill the memory

-- What the caller named of each consumer: its two keys, and lists by number.
local function named()
    local of, key, i = {}, FIRST, WORDS
    while ARGV[i] do
        local one = {last = KEYS[key], batches = KEYS[key + 1], lists = {}}
        local n = tonumber(ARGV[i + 1])
        for j = 1, n do
            one.lists[ARGV[i + 1 + j]] = KEYS[key + 1 + j]
        end
        of[ARGV[i]] = one
        key, i = key + 2 + n, i + 2 + n
    end
    return of
end

-- Each registered consumer as in 'again', behind that word, and whether the
-- caller named all keys.
local function registered(of)
    local found, all = {'again'}, true
    for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
        local one = of[id]
        if one then
            local entry = {id, tonumber(redis.call('GET', one.last) or 0)}
            for _, seq in ipairs(redis.call('ZRANGE', one.batches, 0, -1)) do
                entry[#entry + 1] = tonumber(seq)
                all = all and one.lists[seq]
            end
            found[#found + 1] = entry
        elseif string.gsub(id, '[0-9a-f]', '0') == NO_ID then
            found[#found + 1], all = {id}, false
        end
    end
    return found, all
end

local of = named()
local found, all = registered(of)
if not all then
    return found
end

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
    newer(KEYS[1], ready, tonumber(ARGV[1])),
    newer(KEYS[2], rejected, tonumber(ARGV[2]))}
for i = 2, #found do
    local id, last = found[i][1], found[i][2]
    local one = {id, last}
    for j = 3, #found[i] do
        local seq = found[i][j]
        one[#one + 1] = seq
        one[#one + 1] = redis.call('LLEN',
            of[id].lists[string.format('%d', seq)])
    end
    reply[#reply + 1] = one
end
return reply
