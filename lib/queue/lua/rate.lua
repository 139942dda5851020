#!lua
-- rate: adds what one server has admitted to the shared rates of clients.
--
-- KEYS   one per client
-- ARGV   for each: what its units are worth, nanoseconds
-- Reply  for each: microseconds until all is paid for
--
-- A key holds the time (microseconds) at which all that a client took at any
-- server will be paid for, and lives until then.  Not repeated when its reply
-- was lost: forgetting a tenth of a second of one server is better than
-- counting it twice.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local reply = {}
for i, key in ipairs(KEYS) do
    local paid = math.max(tonumber(redis.call('GET', key) or 0), now)
        + ARGV[i] / 1000
    redis.call('SET', key, string.format('%.3f', paid),
        'PX', math.ceil((paid - now) / 1000))
    reply[i] = math.ceil(paid - now)
end
return reply
