#!lua flags=no-writes
-- holders: the consumers that hold unacknowledged batches and are not owned by
-- the caller, and how long their marks live, changing nothing.
--
-- KEYS   1 the set of consumers
-- ARGV   1 what a consumer's keys begin with   2 the caller's id
--        3 how many to list at most
-- Reply  for each: id, milliseconds that its owner key still lives (negative:
--        it has none)

local prefix, caller, max = ARGV[1], ARGV[2], tonumber(ARGV[3])

local reply = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    local keys = prefix .. id
    local owner = redis.call('GET', keys .. '::owner')
    if #reply < 2 * max and id ~= caller
        and (not owner or string.sub(owner, 1, #caller) ~= caller)
        and redis.call('ZCARD', keys .. '::batches') > 0 then
        reply[#reply + 1] = id
        reply[#reply + 1] = redis.call('PTTL', keys .. '::owner')
    end
end
return reply
