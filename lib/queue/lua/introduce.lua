#!lua flags=allow-oom
-- introduce: makes a publisher known, which has published nothing yet.
--
-- KEYS   1 the publisher's key
-- ARGV   1 its life, seconds
-- Reply  1 it is known now, or 0 it was before: nothing done
--
-- Once per id: whoever gets no answer takes another id, so that this, late
-- from an old connection, makes a key that nobody uses and that expires.
-- Allowed at maxmemory: it is small, and publish tells more of a refusal.

local done = redis.call('SET', KEYS[1], 0, 'NX', 'EX', ARGV[1])
return done and 1 or 0
