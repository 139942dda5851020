#!lua flags=no-writes
-- measure: the lengths of a queue's lists, and what tells how old the oldest
-- increment is that waits, changing nothing.
--
-- KEYS   1 the ready list   2 the rejected list   3 the set of consumers
--        4 the totals of the queue
--        5 when the ready list was last known to be empty
--        6 a key that nobody has   7 ... the batches of consumers
-- ARGV   1 ... their ids
-- Reply  payloads ready, batches unacknowledged, payloads rejected; the Unix
--        millisecond, by Redis's clock; how many payloads were ever taken; when
--        ready was last known to be empty, 0: not known; when the oldest
--        unacknowledged batch was taken, 0: there is none
--        Or 'again' and the ids of all consumers: others are registered, too.

local FIRST, NO_ID = 7, '00000000-0000-0000-0000-000000000000'

-- The registered consumers, behind 'again'; whether the caller named all of
-- them; where their keys begin.
local function registered()
    local ids, all, at = {'again'}, true, {}
    for i, id in ipairs(ARGV) do
        at[id] = FIRST + i - 1
    end
    for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
        if at[id] or string.gsub(id, '[0-9a-f]', '0') == NO_ID then
            ids[#ids + 1] = id
            all = all and at[id]
        end
    end
    return ids, all, at
end

local ids, all, at = registered()
if not all then
    return ids
end
local time = redis.call('TIME')
local unacked, oldest = 0, 0
for i = 2, #ids do
    local batches = KEYS[at[ids[i]]]
    local n = redis.call('ZCARD', batches)
    if n > 0 then
        local taken = tonumber(
            redis.call('ZRANGE', batches, 0, 0, 'WITHSCORES')[2])
        unacked = unacked + n
        if oldest == 0 or taken < oldest then
            oldest = taken
        end
    end
end
return {redis.call('LLEN', KEYS[1]), unacked, redis.call('LLEN', KEYS[2]),
    time[1] * 1000 + math.floor(time[2] / 1000),
    tonumber(redis.call('HGET', KEYS[4], 'taken') or 0) or 0,
    tonumber(redis.call('GET', KEYS[5]) or 0) or 0, oldest}
