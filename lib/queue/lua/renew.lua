#!lua flags=allow-oom
-- renew: renews the ownership that a speaker has of consumers.
--
-- KEYS   1 the set of consumers   2 the speaker's flush mark
--        3 a key that nobody has   4 ... of each consumer its owner key, its
--        batches, the record that it is closed
-- ARGV   1 the speaker's id
--        2 its owner record   3 life of an owner key, milliseconds
--        4 '1': the record is to be this one, '' it stays, 'end': to be this
--        one if an incr-flush goes by the speaker (mark.lua), else it stays
--        5 ... the consumers' ids
-- Reply  for each consumer: 0 another or nobody owns it, or it is not
--          registered
--        1 owned by the speaker, with unacknowledged batches   2 without
--
-- A missing owner of a registered consumer is made again by the consumer
-- itself; an adopter has to adopt again, as the consumer may have taken
-- batches since that the adopter does not know of.  One that is closed
-- (restore.lua) is never its own again.  Repeated or late: at most
-- an owner key lives one life longer.
--
-- Lives go to replicas, and not into the AOF, which an idle system leaves alone
-- so.  Who reads one back finds no owner: as after any outage of a second, each
-- consumer goes on under another id, and its incr-flush claims what it holds.

local consumers, flush = KEYS[1], KEYS[2]
local speaker, record, life, claim = unpack(ARGV, 1, 4)
local FIRST_KEY, FIRST_ID = 4, 5

-- A record that says that the speaker has left names nobody who could be gone.
if claim == 'end' and redis.call('EXISTS', flush) == 0 then
    claim = ''
end

local function renew(id, owner, batches, closed)
    if redis.call('SISMEMBER', consumers, id) == 0 then
        return 0
    end
    local was = redis.call('GET', owner)
    if was and string.sub(was, 1, #speaker) ~= speaker
        or not was and id ~= speaker
        or id == speaker and redis.call('EXISTS', closed) == 1
    then
        return 0
    end
    redis.set_repl(redis.REPL_REPLICA)
    if was and claim == '' then
        redis.call('PEXPIRE', owner, life)
    else
        redis.call('SET', owner, record, 'PX', life)
    end
    redis.set_repl(redis.REPL_ALL)
    return redis.call('ZCARD', batches) > 0 and 1 or 2
end

local reply = {}
for i = FIRST_ID, #ARGV do
    local key = FIRST_KEY + 3 * (i - FIRST_ID)
    reply[#reply + 1] = renew(ARGV[i], unpack(KEYS, key, key + 2))
end
return reply
