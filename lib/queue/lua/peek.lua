#!lua flags=no-writes
-- peek: reads payloads of a list, oldest first, changing nothing.
--
-- KEYS   1 the list   2 if asked for: when payloads were rejected, by SHA-1
-- ARGV   1 how many of the oldest to skip   2 payloads at most
--        3 bytes at most, but two payloads in any case
-- Reply  the length of the list, then the payloads; with a second key, behind
--        them, a list of their times, Unix milliseconds, 0: not known
--
-- Times are for who reads them, so a key of another type is none.

local list, times, at = KEYS[1], KEYS[2], tonumber(ARGV[1])
local max, max_bytes = tonumber(ARGV[2]), tonumber(ARGV[3])
-- Payloads read at once: few enough that large ones don't fill the memory
-- before they are counted, more while they are small.
local CHUNK_MIN, CHUNK_MAX = 8, 256
local TIME_MAX = 2 ^ 53

local function time_of(payload)
    local ms = tonumber(redis.pcall('ZSCORE', times, redis.sha1hex(payload)))
    return ms and ms > 0 and ms < TIME_MAX and ms or 0
end

local function with_times(reply)
    local all = {}
    for i = 2, times and #reply or 0 do
        all[i - 1] = time_of(reply[i])
    end
    reply[#reply + 1] = times and all
    return reply
end

local reply, count, bytes, size = {redis.call('LLEN', list)}, 0, 0, CHUNK_MIN
while count < max do
    size = math.min(size, max - count)
    local chunk = redis.call('LRANGE', list, -at - size, -at - 1)
    for i = #chunk, 1, -1 do
        bytes = bytes + #chunk[i]
        if bytes > max_bytes and count >= 2 then
            return with_times(reply)
        end
        count = count + 1
        reply[count + 1] = chunk[i]
    end
    if #chunk < size then
        break
    end
    at, size = at + size, math.min(size * 2, CHUNK_MAX)
end
return with_times(reply)
