#!lua flags=no-writes
-- holders: the consumers that hold unacknowledged batches and are not owned by
-- the caller, and how long their marks live, changing nothing.
--
-- KEYS   1 the set of consumers   2 a key that nobody has
--        3 ... of each consumer its owner key, its batches, its flush mark
-- ARGV   1 the caller's id   2 how many to list at most
--        3 ... the ids of these consumers
-- Reply  for each: id, milliseconds that its owner key still lives, or the
--        flush mark of that owner, if there was one, whichever is less
--        (negative: it does not)
--        Or 'again' and the ids of all consumers: others are registered, too.
--
-- An owner that is not registered has no mark.

local caller, max = ARGV[1], tonumber(ARGV[2])
local MARK_LIFE = 5000 -- at most, also if the clock was set back
local FIRST, EACH, IDS = 3, 3, 3
local NO_ID = '00000000-0000-0000-0000-000000000000'

-- The registered consumers, behind 'again'; whether the caller named all of
-- them; where their keys begin.
local function registered()
    local ids, all, at = {'again'}, true, {}
    for i = IDS, #ARGV do
        at[ARGV[i]] = FIRST + EACH * (i - IDS)
    end
    for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
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

local function life(place, owner)
    local lives = redis.call('PTTL', KEYS[place])
    local speaker = owner and at[string.sub(owner, 1, 36)]
    local mark = speaker and redis.call('GET', KEYS[speaker + 2])
    local untl = mark and tonumber(string.match(mark, '^%d+'))
    return untl and math.min(lives, untl - now, MARK_LIFE) or lives
end

local reply = {}
for i = 2, #ids do
    local id = ids[i]
    local place = at[id]
    local owner = redis.call('GET', KEYS[place])
    if #reply < 2 * max and id ~= caller
        and (not owner or string.sub(owner, 1, #caller) ~= caller)
        and redis.call('ZCARD', KEYS[place + 1]) > 0 then
        reply[#reply + 1] = id
        reply[#reply + 1] = life(place, owner)
    end
end
return reply
