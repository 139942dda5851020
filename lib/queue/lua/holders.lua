#!lua flags=no-writes
-- holders: the consumers that hold unacknowledged batches and are not owned by
-- the caller, and how long their marks live, changing nothing.
--
-- KEYS   1 the set of consumers   2 a key that nobody has
-- ARGV   1 what a consumer's keys begin with   2 the caller's id
--        3 how many to list at most
-- Reply  for each: id, milliseconds that its owner key still lives, or the
--        flush mark of that owner, if there was one, whichever is less
--        (negative: it does not)

local prefix, caller, max = ARGV[1], ARGV[2], tonumber(ARGV[3])
local MARK_LIFE = 5000 -- at most, also if the clock was set back

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function life(id, owner)
    local lives = redis.call('PTTL', prefix .. id .. '::owner')
    local mark = owner and redis.call('GET',
        prefix .. string.sub(owner, 1, 36) .. '::flush')
    local untl = mark and tonumber(string.match(mark, '^%d+'))
    return untl and math.min(lives, untl - now, MARK_LIFE) or lives
end

local reply = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    local keys = prefix .. id
    local owner = redis.call('GET', keys .. '::owner')
    if #reply < 2 * max and id ~= caller
        and (not owner or string.sub(owner, 1, #caller) ~= caller)
        and redis.call('ZCARD', keys .. '::batches') > 0 then
        reply[#reply + 1] = id
        reply[#reply + 1] = life(id, owner)
    end
end
return reply
