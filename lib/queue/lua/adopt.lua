#!lua flags=allow-oom
-- adopt: makes the adopter the owner of the first candidate that is still as
-- it was seen, and lists the consumers that may be candidates next.
--
-- KEYS   1 the set of consumers
-- ARGV   1 what a consumer's keys begin with   2 the adopter's id
--        3 its owner record   4 life of an owner key, milliseconds
--        5 the adopter's machine, as in owner records
--        6 how many consumers to list at most, of either kind
--        7 ... candidates: id, the owner record it was seen with ('' none)
-- Reply  1 the id of the consumer adopted, '' none
--        2 the sequence numbers of its batches, ascending
--        3 registered consumers without owner: id ...
--        4 those owned from this machine, or by the adopter itself:
--          id, owner record ...
--
-- A candidate without batches is swept with all its keys; the first one
-- with batches is adopted.  A candidate that has been renewed, adopted or
-- swept since it was seen is no longer as expected, and nothing is done to
-- it: so the call may be repeated.  Late from an old connection, it makes the
-- adopter an owner that does not know of it: for one life of an owner key,
-- unless element 4 of a reply shows it before.

local consumers = KEYS[1]
local prefix, adopter, record, life, machine, max = unpack(ARGV, 1, 6)
local FIRST = 7

local function sweep(id)
    redis.call('SREM', consumers, id)
    redis.call('DEL', prefix .. id .. '::last', prefix .. id .. '::batches',
        prefix .. id .. '::owner')
end

-- Adopts or sweeps; returns the sequence numbers if adopted.
local function take_over(id, expected)
    local owner = prefix .. id .. '::owner'
    if id == adopter or redis.call('SISMEMBER', consumers, id) == 0
        or (redis.call('GET', owner) or '') ~= expected then
        return nil
    end
    local seqs = redis.call('ZRANGE', prefix .. id .. '::batches', 0, -1)
    if #seqs == 0 then
        sweep(id)
        return nil
    end
    redis.call('SET', owner, record, 'PX', life)
    for i = 1, #seqs do
        seqs[i] = tonumber(seqs[i])
    end
    table.sort(seqs)
    return seqs
end

-- Is the owner a process of this machine, or the adopter?
local function near(was)
    local speaker, where = string.match(was, '^(%S+) (%S+)')
    return speaker == adopter or where == machine
end

-- The clock that owner keys expire by may have been set back: one that lives
-- longer than an owner key can is given its proper life.
local function shorten(owner)
    if redis.call('PTTL', owner) > tonumber(life) then
        redis.call('PEXPIRE', owner, life)
    end
end

local function look(ownerless, owned)
    local ids = redis.call('SMEMBERS', consumers)
    for from = 1, #ids, 1000 do
        local keys = {}
        for i = from, math.min(from + 999, #ids) do
            keys[#keys + 1] = prefix .. ids[i] .. '::owner'
        end
        local records = redis.call('MGET', unpack(keys))
        for i, was in ipairs(records) do
            local id = ids[from + i - 1]
            if was then
                shorten(keys[i])
            end
            if not was and #ownerless < tonumber(max) then
                ownerless[#ownerless + 1] = id
            elseif was and #owned < 2 * max and id ~= adopter
                and near(was) then
                owned[#owned + 1] = id
                owned[#owned + 1] = was
            end
        end
    end
end

local adopted, seqs = '', {}
for i = FIRST, #ARGV, 2 do
    local got = take_over(ARGV[i], ARGV[i + 1])
    if got then
        adopted, seqs = ARGV[i], got
        break
    end
end
local ownerless, owned = {}, {}
look(ownerless, owned)
return {adopted, seqs, ownerless, owned}
