#!lua flags=no-writes
-- numbers: the last acknowledged numbers of consumers, changing nothing.
--
-- KEYS   1 the set of consumers   2 a key that nobody has
-- ARGV   1 what a consumer's keys begin with   2 only ids behind this one
--        3 how many to list at most
-- Reply  for each that has one, in order: id, number, how often it was closed
--        (restore.lua)

local prefix, after, max = ARGV[1], ARGV[2], tonumber(ARGV[3])

local ids = redis.call('SMEMBERS', KEYS[1])
table.sort(ids)
local reply = {}
for _, id in ipairs(ids) do
    local number = id > after and #reply < 3 * max and
        redis.call('GET', prefix .. id .. '::acknowledged')
    if number then
        reply[#reply + 1] = id
        local closed = redis.call('GET', prefix .. id .. '::closed') or ''
        reply[#reply + 1] = tonumber(number)
        reply[#reply + 1] = tonumber(string.match(closed, '%d+$') or 0)
    end
end
return reply
