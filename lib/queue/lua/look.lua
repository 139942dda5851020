#!lua flags=no-writes
-- look: what --check tells of a queue, changing nothing.
--
-- KEYS   1 the ready list   2 the rejected list   3 the set of consumers
--        4 which database counts the queue   5 rmq::queues,
--        on a cluster a key that nobody has
-- ARGV   1 what a consumer's keys begin with
--        2 a key of the queue's own, about which the commands are asked
--        3... commands, as GET or MEMORY|USAGE
-- Reply  payloads ready, batches unacknowledged, payloads rejected, consumers,
--        those of them that have both marks, the database, '' none; then those
--        of the commands that the caller may not say

local ready, rejected, consumers, database = unpack(KEYS)
local prefix, key = ARGV[1], ARGV[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function is_alive(keys, id)
    local owner = redis.call('GET', keys .. '::owner')
    local mark = owner and string.sub(owner, 1, #id) == id
        and redis.call('GET', keys .. '::flush')
    local untl = mark and tonumber(string.match(mark, '^%d+') or '')
    return untl and untl > now
end

-- More words than any of the commands needs: with fewer, Redis itself fails.
local function may_say(command)
    local words = {}
    for word in string.gmatch(command, '[^|]+') do
        words[#words + 1] = word
    end
    for _ = 1, 6 do
        words[#words + 1] = key
    end
    return redis.acl_check_cmd(unpack(words))
end

local unacked, n, alive = 0, 0, 0
for _, id in ipairs(redis.call('SMEMBERS', consumers)) do
    local keys = prefix .. id
    n = n + 1
    alive = alive + (is_alive(keys, id) and 1 or 0)
    unacked = unacked + redis.call('ZCARD', keys .. '::batches')
end
local reply = {redis.call('LLEN', ready), unacked,
    redis.call('LLEN', rejected), n, alive, redis.call('GET', database) or ''}
for i = 3, #ARGV do
    if not may_say(ARGV[i]) then
        reply[#reply + 1] = ARGV[i]
    end
end
return reply
