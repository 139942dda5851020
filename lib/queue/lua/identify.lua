#!lua flags=allow-oom
-- identify: which database counts the queue.
--
-- KEYS   1 the id of the database
-- ARGV   1 the id of another one, or of the same
--        2 'note' it if none is noted, 'adopt' it in place of another one,
--          or just 'look'
-- Reply  the id that was noted before, '' if none was
--
-- Repeated: the reply may be the id itself, nothing else changes.  Late from
-- an old connection: 'note' does what the next incr-flush of that database
-- would do; 'adopt' is typed by somebody, who waits for it.

local was = redis.call('GET', KEYS[1])
if ARGV[2] == 'adopt' or ARGV[2] == 'note' and not was then
    redis.call('SET', KEYS[1], ARGV[1])
end
return was or ''
