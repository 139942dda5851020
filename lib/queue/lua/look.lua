#!lua flags=no-writes
-- look: what --check tells of a queue, changing nothing.
--
-- KEYS   1 the ready list   2 the rejected list   3 the set of consumers
--        4 which database counts the queue   5 rmq::queues,
--        on a cluster a key that nobody has
--        6 ... of each consumer its owner key, its batches, its flush mark
-- ARGV   1 a key of the queue's own, about which the commands are asked
--        2 how many commands   3 ... these, as GET or MEMORY|USAGE
--        then the ids of these consumers
-- Reply  payloads ready, batches unacknowledged, payloads rejected, consumers,
--        those of them that have both marks, the database, '' none; then those
--        of the commands that the caller may not say
--        Or 'again' and the ids of all consumers: others are registered, too.

local ready, rejected, consumers, database = unpack(KEYS, 1, 4)
local key, commands = ARGV[1], tonumber(ARGV[2])
local FIRST, EACH, IDS = 6, 3, 3 + commands
local NO_ID = '00000000-0000-0000-0000-000000000000'

-- The registered consumers, behind 'again'; whether the caller named all of
-- them; where their keys begin.
local function registered()
    local ids, all, at = {'again'}, true, {}
    for i = IDS, #ARGV do
        at[ARGV[i]] = FIRST + EACH * (i - IDS)
    end
    for _, id in ipairs(redis.call('SMEMBERS', consumers)) do
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
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function is_alive(place, id)
    local owner = redis.call('GET', KEYS[place])
    local mark = owner and string.sub(owner, 1, #id) == id
        and redis.call('GET', KEYS[place + 2])
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

local unacked, alive = 0, 0
for i = 2, #ids do
    local place = at[ids[i]]
    alive = alive + (is_alive(place, ids[i]) and 1 or 0)
    unacked = unacked + redis.call('ZCARD', KEYS[place + 1])
end
local reply = {redis.call('LLEN', ready), unacked,
    redis.call('LLEN', rejected), #ids - 1, alive,
    redis.call('GET', database) or ''}
for i = 3, 2 + commands do
    if not may_say(ARGV[i]) then
        reply[#reply + 1] = ARGV[i]
    end
end
return reply
