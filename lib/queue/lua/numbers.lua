#!lua flags=no-writes
-- numbers: the last acknowledged numbers of consumers, changing nothing.
--
-- KEYS   1 the set of consumers   2 a key that nobody has
--        3 ... of each consumer its last acknowledged number, and the record
--        that it is closed
-- ARGV   1 only ids behind this one   2 how many to list at most
--        3 ... the ids of these consumers
-- Reply  for each that has one, in order: id, number, how often it was closed
--        (restore.lua)
--        Or 'again' and the ids of all consumers: others are registered, too.

local after, max = ARGV[1], tonumber(ARGV[2])
local FIRST, EACH, IDS = 3, 2, 3
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

table.remove(ids, 1)
table.sort(ids)
local reply = {}
for _, id in ipairs(ids) do
    local number = id > after and #reply < 3 * max and
        redis.call('GET', KEYS[at[id]])
    if number then
        reply[#reply + 1] = id
        local closed = redis.call('GET', KEYS[at[id] + 1]) or ''
        reply[#reply + 1] = tonumber(number)
        reply[#reply + 1] = tonumber(string.match(closed, '%d+$') or 0)
    end
end
return reply
