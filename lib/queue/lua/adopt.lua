#!lua flags=allow-oom
-- adopt: makes the adopter the owner of the first candidate that is still as
-- it was seen, and lists the consumers that may be candidates next.
--
-- KEYS   1 the set of consumers   2 the ready list
--        3 when the ready list was last known to be empty
--        4 a key that nobody has
--        5 the adopter's owner key, its mark, the record that it is closed
--        8 ... of each consumer that the adopter knows of: its owner key, the
--        flush mark behind it, its batches, its kept ones
--        then of each candidate: its last number, its last acknowledged one,
--        its restored batches, the record that it is closed, its number of
--        shards
-- ARGV   1 the adopter's id
--        2 its owner record   3 life of an owner key, milliseconds
--        4 the adopter's machine, as in owner records
--        5 how many consumers to list at most, of each kind
--        6 '1': the adopter must have a flush mark, '' also before the first
--        7 '1': the adopter is idle, and renewed, else ''
--        8 how many candidates   9 ... these: id, the owner record it was seen
--        with ('' none), the mark of that owner it was seen with ('*' any)
--        then the ids of the consumers that it knows of
-- Reply  1 the id of the consumer adopted, '' none
--        2 the sequence numbers of its batches, ascending
--        3 registered consumers without owner: id ...
--        4 those owned from this machine, or flushed there, by somebody who is
--          silent, or owned by the adopter itself: id, owner record, flush mark
--          of the owner ...
--        5 those with batches that are not flushed: the mark of their owner
--          has run out; or there never was one, the oldest batch is 5 s old
--          and the adopter has a mark itself; or restore.lua has left them:
--          id, owner record, mark ...
--        6 how many consumers own themselves and have a flush mark, -1:
--          no more was done, for the adopter's own mark is missing; 1 if there
--          ever was a mark of the adopter, else 0; 1 if the adopter was
--          renewed, else 0; payloads ready, -1: not known
--        7 how many consumers are registered that the adopter does not know of;
--          then the ids of all, if they are not those that it knows of
--
-- A consumer that the adopter does not know of is not looked at, nor one that
-- is owned by such a one: whether that one is flushed can't be seen.
--
-- A consumer lives only while both its halves do: the incr-consume that is
-- its owner, and the incr-flush behind that one (mark.lua).
--
-- The adopter asks its machine whether the process of a record is gone.
-- Machines may have the same name, as copies of one that runs do: so it is
-- asked only about those who have not renewed their life for a while, as who
-- lives does.
--
-- A look renews an idle adopter that owns itself and is not closed, and notes
-- an empty ready list, as renew.lua and take.lua do: who is idle makes no other
-- call.  They are one write for replicas, none for the AOF: Redis writes two as
-- a transaction into both.
--
-- The first candidate with unacknowledged batches is adopted.  Each before it
-- that has neither unacknowledged nor kept batches is swept: all its keys are
-- deleted, but its last number stays for a day, by which acknowledge.lua and
-- mark.lua tell that this Redis has known the consumer.
--
-- Repeated: a candidate that was renewed, adopted or swept meanwhile is no
-- longer as it was seen, and nothing is done to it.  Late from an old
-- connection: the adopter may become an owner without knowing it, for one life
-- of an owner key, unless element 4 of a later reply shows it before.

local consumers, ready, emptied, _, own_owner, own_flush, own_closed =
    unpack(KEYS, 1, 7)
local adopter, record, life = ARGV[1], ARGV[2], tonumber(ARGV[3])
local machine, max, strict, idle = unpack(ARGV, 4, 7)
local candidates = tonumber(ARGV[8])
local FIRST, ID, UNMARKED_AGE, DAY = 9, 36, 5000, 86400
local KNOWN = FIRST + 3 * candidates -- the first id
local NOBODY = '00000000-0000-0000-0000-000000000000'
-- The life of an owner key whose owner has left, of an idle mark (both in
-- milliseconds), of the key of a mark (seconds).
local END_LIFE, MARK_LIFE, MARK_KEY = 5000, 5000, 86400

-- Who has not renewed a life for so long is silent (milliseconds): twice the
-- time from one renewal to the next.
local SILENT = 500

-- As in take.lua.
local EMPTY_EVERY, EMPTY_LIFE = 250, 86400

local function clock()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end
local now = clock()

-- The keys of the consumers that the adopter knows of, and of candidates.
local known = {}
for i = KNOWN, #ARGV do
    local owner, flush, batches, kept = unpack(KEYS, 8 + 4 * (i - KNOWN),
        11 + 4 * (i - KNOWN))
    known[ARGV[i]] =
        {owner = owner, flush = flush, batches = batches, kept = kept}
end
for i = 1, candidates do
    local one = known[ARGV[FIRST + 3 * (i - 1)]]
    if one then
        local at = 8 + 4 * (#ARGV - KNOWN + 1) + 5 * (i - 1)
        one.others = {unpack(KEYS, at, at + 4)}
    end
end

local function flush_key(id)
    return id == adopter and own_flush or known[id] and known[id].flush
end

-- The flush mark behind a speaker, or nil. One that is not registered has none.
local function mark_of(speaker)
    local key = flush_key(speaker)
    return key and redis.call('GET', key)
end

-- Anything may be in the set; what is no UUID is no consumer.
local function is_id(text)
    return string.gsub(text, '[0-9a-f]', '0') == NOBODY
end

-- Can it not be seen whether a speaker is flushed?
local function is_unknown(speaker)
    return not flush_key(speaker) and is_id(speaker)
        and redis.call('SISMEMBER', consumers, speaker) == 1
end

-- A mark of a consumer, or nil. The clock may have been set back: one that
-- lives longer than a mark can is given its proper life.
local function shorten_mark(id, mark)
    local untl = mark and tonumber(string.match(mark, '^%d+'))
    if not untl or untl <= now + MARK_LIFE then
        return mark
    end
    mark = string.gsub(mark, '^%d+', string.format('%d', now + MARK_LIFE))
    redis.call('SET', flush_key(id), mark, 'EX', MARK_KEY)
    return mark
end

-- 'never', 'fresh' or 'stale'
local function state(mark)
    if not mark or mark == '' then
        return 'never'
    end
    local untl = tonumber(string.match(mark, '^%d+')) or 0
    return untl > now and 'fresh' or 'stale'
end

-- One that has left in order lives longer.
local function renew()
    local was = redis.call('GET', own_owner)
    if idle ~= '1' or not was or string.sub(was, 1, ID) ~= adopter
        or redis.call('EXISTS', own_closed) == 1
    then
        return 0
    end
    redis.set_repl(redis.REPL_REPLICA)
    redis.call('PEXPIRE', own_owner, life, 'GT')
    redis.set_repl(redis.REPL_ALL)
    return 1
end

-- As in take.lua.
local function note_empty(since)
    if since <= now and redis.call('PTTL', emptied) > EMPTY_LIFE * 500 then
        redis.set_repl(redis.REPL_NONE)
        redis.call('SET', emptied, now, 'KEEPTTL')
        redis.set_repl(redis.REPL_ALL)
    else
        redis.call('SET', emptied, now, 'EX', EMPTY_LIFE)
    end
end

local function count_ready()
    local waiting = redis.pcall('LLEN', ready)
    if type(waiting) == 'table' then
        return -1
    end
    local since = waiting == 0 and tonumber(redis.pcall('GET', emptied)) or now
    if waiting == 0 and (since >= now or now - since >= EMPTY_EVERY) then
        note_empty(since)
    end
    return waiting
end

local own = state(shorten_mark(adopter, mark_of(adopter)))

local function sweep(id)
    local keys = known[id]
    redis.call('PEXPIRE', keys.others[1], DAY * 1000)
    redis.call('SREM', consumers, id)
    redis.call('DEL', keys.batches, keys.owner, keys.flush, keys.kept,
        unpack(keys.others, 2))
end

-- Has it kept batches, and no others?  Nobody has to do anything with it then.
local function only_keeps(id)
    return redis.call('ZCARD', known[id].batches) == 0
        and redis.call('ZCOUNT', known[id].kept, now, '+inf') > 0
end

-- Was it left by restore.lua?
local function is_left(was)
    return string.sub(was, 1, ID) == NOBODY
end

-- An owner key that lives for so many milliseconds yet (negative: for ever) was
-- not renewed lately.
local function is_silent(left)
    return left <= life - SILENT
end

-- The same for a mark.
local function is_silent_mark(mark)
    local untl = tonumber(string.match(mark, '^%d+'))
    return untl ~= nil and is_silent(untl - now)
end

-- Is one of the halves that speak for a consumer silent, or both?
local function is_half_silent(id, was)
    return is_silent(redis.call('PTTL', known[id].owner)) or
        is_silent_mark(mark_of(string.sub(was, 1, ID)) or '')
end

-- Is the consumer as it was seen?  Returns its owner record.
local function as_seen(id, expected, mark)
    local was = redis.call('GET', known[id].owner) or ''
    if was ~= expected or is_unknown(string.sub(was, 1, ID)) then
        return nil
    end
    if was == '' or string.sub(was, 1, ID) == adopter then
        return was
    end
    if mark == '*' then
        return is_half_silent(id, was) and was or nil
    end
    return mark == (mark_of(string.sub(was, 1, ID)) or '') and was or nil
end

-- Adopts or sweeps; returns the sequence numbers if adopted.
local function take_over(id, expected, mark)
    if id == adopter or not known[id]
        or redis.call('SISMEMBER', consumers, id) == 0 then
        return nil
    end
    local was = as_seen(id, expected, mark)
    if not was then
        return nil
    end
    local seqs = redis.call('ZRANGE', known[id].batches, 0, -1)
    if #seqs == 0 then
        -- One that is not flushed may still take.
        if (was == '' or mark == '*' or is_left(was))
            and not only_keeps(id) then
            sweep(id)
        end
        return nil
    end
    redis.call('SET', known[id].owner, record, 'PX', life)
    for i = 1, #seqs do
        seqs[i] = tonumber(seqs[i])
    end
    table.sort(seqs)
    return seqs
end

-- Is this record, or mark, of this machine?
local function is_near(was)
    return string.match(was, '%x+%-%S+ (%S+)') == machine
end

-- Is this owner, or the mark behind it, of the adopter, or of this machine and
-- silent?
local function may_be_gone(was, left, mark)
    return string.sub(was, 1, ID) == adopter or
        is_near(was) and is_silent(left) or
        is_near(mark) and is_silent_mark(mark)
end

-- As shorten_mark, for an owner key.  Returns how long it lives.
local function shorten(owner, was)
    local most = string.find(was, ' end$') and END_LIFE or life
    local left = redis.call('PTTL', owner)
    if left > most then
        redis.call('PEXPIRE', owner, most)
        left = most
    end
    return left
end

-- Does nobody flush what it has?
local function unflushed(id, mark)
    local how = state(mark)
    if how == 'fresh' or how == 'never' and own ~= 'fresh' then
        return false
    end
    local oldest = redis.call('ZRANGE', known[id].batches, 0, 0,
        'WITHSCORES')
    return oldest[2] ~= nil and
        (how == 'stale' or now - tonumber(oldest[2]) >= UNMARKED_AGE)
end

local function add(list, id, was, mark)
    if #list < 3 * max then
        list[#list + 1] = id
        list[#list + 1] = was
        list[#list + 1] = mark
    end
end

-- The flush marks of the owners that these records name, '' without.
local function marks_of(records)
    local keys, marks, of = {}, {}, {}
    for i, was in ipairs(records) do
        local key = was and flush_key(string.sub(was, 1, ID))
        marks[i] = ''
        if key then
            keys[#keys + 1] = key
            of[#keys] = i
        end
    end
    for i, mark in ipairs(#keys > 0 and redis.call('MGET', unpack(keys)) or {})
    do
        marks[of[i]] = mark or ''
    end
    return marks
end

-- The registered consumers that are known; how many others there are; and the
-- ids of all, if they are not those that the adopter knows of.
local function registered()
    local ids, others, all = {}, 0, {}
    for _, id in ipairs(redis.call('SMEMBERS', consumers)) do
        if known[id] then
            ids[#ids + 1] = id
            all[#all + 1] = id
        elseif is_id(id) then
            others = others + 1
            all[#all + 1] = id
        end
    end
    local are_same = others == 0 and #ids == #ARGV - KNOWN + 1
    return ids, others, are_same and {} or all
end

local function look(ids, ownerless, owned, stale)
    local live = 0
    for from = 1, #ids, 1000 do
        local keys = {}
        for i = from, math.min(from + 999, #ids) do
            keys[#keys + 1] = known[ids[i]].owner
        end
        local records = redis.call('MGET', unpack(keys))
        local marks = marks_of(records)
        for i, was in ipairs(records) do
            local id, mark, left = ids[from + i - 1], marks[i], 0
            local speaker = was and string.sub(was, 1, ID)
            if was then
                left = shorten(keys[i], was)
                mark = shorten_mark(speaker, mark)
            end
            if speaker and is_unknown(speaker) then
                -- The next look knows that one.
            elseif not was then
                if #ownerless < tonumber(max) and not only_keeps(id) then
                    ownerless[#ownerless + 1] = id
                end
            elseif is_left(was) then
                if not only_keeps(id) then
                    add(stale, id, was, mark)
                end
            elseif id == adopter then
                live = live + (own == 'fresh' and 1 or 0)
            elseif unflushed(id, mark) then
                add(stale, id, was, mark)
            else
                if string.sub(was, 1, ID) == id and state(mark) == 'fresh' then
                    live = live + 1
                end
                if may_be_gone(was, left, mark) then
                    add(owned, id, was, mark)
                end
            end
        end
    end
    return live
end

local ever = own == 'never' and 0 or 1
local renewed, waiting = renew(), count_ready()
if own == 'stale' or own == 'never' and strict == '1' then
    return {'', {}, {}, {}, {}, {-1, ever, renewed, waiting}, {0}}
end
local adopted, seqs = '', {}
for i = FIRST, KNOWN - 1, 3 do
    local got = take_over(ARGV[i], ARGV[i + 1], ARGV[i + 2])
    if got then
        adopted, seqs = ARGV[i], got
        break
    end
end
local ownerless, owned, stale = {}, {}, {}
local ids, others, all = registered()
local live = look(ids, ownerless, owned, stale)
table.insert(all, 1, others)
return {adopted, seqs, ownerless, owned, stale, {live, ever, renewed, waiting},
    all}
