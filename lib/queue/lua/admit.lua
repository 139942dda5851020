-- admit: lets the lines of a publisher's batch, none of which has a tag, be
-- pushed by the commands behind it, once.  Lines that are arguments of LPUSH
-- cost a third of what they cost in a script.
--
-- Only in a transaction, whose MULTI was answered before the rest was sent:
--
--        EVALSHA admit
--        LPUSHX pushing LINE...   does nothing if that key is not there
--        RPOP pushing             the oldest, an empty one, which admit made
--        RENAMENX pushing ready   does nothing, either
--
-- EXEC goes on behind a command that fails.  So nothing of it may do harm
-- alone: the ready list has another name until the lines are pushed, and it is
-- admit that gives it this one, so without admit nothing is pushed; and
-- whatever might keep the others from what they do, a type or a right, keeps
-- admit, which tries it, from doing anything.
--
-- KEYS   1 the ready list   2 rmq::queues, on a cluster a key that nobody has
--        3 the publisher's key
--        4 the totals of the queue   5 pushing, which is the publisher's
-- ARGV   1 seq of the batch, from 1
--        2 life of the publisher's key, seconds
--        3 the queue's name, added to rmq::queues; '' nothing is
--        4 the high-water mark of the ready list, 0 none
--        5 not-after: the last Unix millisecond, by Redis's clock, at which
--          anything may be pushed
--        6 the batch's name: no other batch has it, of whatever publisher
--        7 how many lines
-- Reply  as publish's to a batch without tags: 0 to 6, the Unix millisecond,
--        how many lines were pushed.  1: the next commands push them.
--
-- What publish says of repeats, of what comes late, and of errors holds here;
-- each sending of a batch may be by one or the other.

local ready, queues, publisher, totals, pushing = unpack(KEYS)
local seq, life, queue = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local high_water, not_after = tonumber(ARGV[4]), tonumber(ARGV[5])
local name, n = ARGV[6], tonumber(ARGV[7])

-- Nobody has that key between transactions.
redis.call('DEL', pushing)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('GET', publisher)
local last, whose, total = string.match(record or '', '^(%d+) ?([^ :]*):?(%d*)')
last, total = tonumber(last), tonumber(total) or 0

-- What it may do all others may.
local function first_write()
    if queue == '' then
        return redis.pcall('SET', queues, '', 'XX')
    end
    return redis.pcall('SADD', queues, queue)
end

-- The reason why nothing may be pushed: 3 or 4 as in a reply, or an error;
-- nil if there is none.
local function refusal()
    if high_water > 0 and redis.call('LLEN', ready) >= high_water then
        return 3
    end
    local done = first_write()
    if type(done) == 'table' then
        return string.find(done.err, '^OOM') and 4 or done
    end
end

-- Gives the ready list, if there is one, the name by which it is pushed to, and
-- adds an empty message as its oldest, so that it is there.  First it tries the
-- commands that come next, on no key.  An error if one of these is refused:
-- nothing was done.
local function open()
    local done = redis.pcall('LPUSHX', pushing, '')
    if done == 0 then
        done = redis.pcall('RPOP', pushing)
    end
    if done then
        return done
    end
    local renamed = redis.pcall('RENAMENX', ready, pushing)
    if renamed ~= 1 and not string.find(renamed.err, 'no such key') then
        return renamed
    end
    done = redis.pcall('RPUSH', pushing, '')
    if type(done) == 'table' then
        redis.pcall('RENAMENX', pushing, ready)
        return done
    end
end

-- Opens the list, moves the publisher to seq, and counts the lines.  If one of
-- these is refused, takes back what was done.
local function admit()
    local failed = open()
    if failed then
        return failed
    end
    local sum = total + n
    local done = redis.pcall('SET', publisher,
        string.format('%s %s:%.0f ', ARGV[1], name, sum), 'EX', life)
    if not done.err then
        done = redis.pcall('HINCRBY', totals, 'published', n)
        if type(done) == 'number' then
            return {1, now, sum}
        end
        redis.call('SET', publisher, record, 'EX', life)
    end
    redis.call('RPOP', pushing)
    redis.pcall('RENAMENX', pushing, ready) -- unless it is empty now
    return done
end

if last and seq == last then
    if whose ~= name then
        return {6, now, 0}
    end
    redis.call('PEXPIRE', publisher, life * 1000)
    return {2, now, total}
end
if last and seq == last + 1 and now > not_after then
    return {5, now, total}
end
if seq ~= (last or -1) + 1 then
    return {0, now, 0}
end
local reason = refusal()
if type(reason) == 'table' then
    return reason
elseif reason then
    return {reason, now, total}
end
return admit()
