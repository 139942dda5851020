#!/usr/bin/env python3
"""marks.py SOCKET OLD NEW [SEED [CALLS]]: random calls of two publish.lua.

Three databases of one Redis get the same calls: the first one by the script
OLD, which has a key for each tag; the second one by NEW; the third one by
either of them at random, as during an upgrade.  Every reply, and what is left,
must be the same: the ready list, the totals, the records of publishers, which
tag is marked with what; and no mark may live shorter than that of OLD.
"""
import random
import socket
import struct
import sys

READY, QUEUES, TOTALS, SEEN = "ready", "queues", "totals", "seen::"
MARKS, TURN, LIFE = "marks::", "marks::turn", 1000
PUBLISHERS = ("a", "b", "c")
SINGLES = ["s%d" % i for i in range(8)]
BLOCKS = {"x": [str(i) for i in range(6)], "y": ["0", "127"]}
TAGS = SINGLES + [b + "." + f for b in BLOCKS for f in BLOCKS[b]]


class Redis:
    def __init__(self, path, db):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self("SELECT", db)

    def __call__(self, *args):
        args = [a if isinstance(a, bytes) else str(a).encode() for a in args]
        self.socket.sendall(b"*%d\r\n" % len(args) + b"".join(
            b"$%d\r\n%s\r\n" % (len(a), a) for a in args))
        return self.reply()

    def reply(self):
        line = self.file.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            return "error " + rest.decode().split()[0]
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]


def pack(words):
    def one(w):
        if isinstance(w, int):
            return struct.pack(">BI", 0xCE, w)
        return struct.pack(">BB", 0xD9, len(w)) + w.encode()
    return struct.pack(">BI", 0xDD, len(words)) + b"".join(map(one, words))


def mark(line):
    return "mark of " + line


def place(tag):
    """The keys of its mark, and its field."""
    block, dot, field = tag.partition(".")
    if dot:
        return [MARKS + block + ".0"], field
    pair = int(tag[1:]) % 4
    return [MARKS + "%d.%d" % (shelf, pair) for shelf in (1, 2)], tag


def call_old(c, window):
    keys = [READY, QUEUES, "publisher::" + c["id"], TOTALS]
    words = []
    for tag, line in c["lines"]:
        words += ["\t" + tag, line] if tag else [line]
    tags = any(tag for tag, _ in c["lines"])
    return keys, [c["seq"], 86400, "q", SEEN if tags else "", window,
                  c["high"], c["not_after"], c["name"], pack(words)]


def call_new(c, window, both):
    keys = [READY, QUEUES, "publisher::" + c["id"], TOTALS]
    groups, seen, text, packed = {}, {}, "", []
    for i, (tag, line) in enumerate(c["lines"]):
        if tag:
            at, field = place(tag)
            groups.setdefault(tuple(at), []).extend([i + 1, field, mark(line)])
            seen.setdefault(tuple(at), []).append(SEEN + tag)
    if groups:
        keys += [MARKS, TURN]
    alone = [] if both else [  # at most two in a pair
        at for at in groups if len(at) == 2 and len(groups[at]) <= 6]
    if alone:
        text = "a%d" % sum(len(groups[at]) // 3 for at in alone)
    for at in alone + [at for at in groups if at not in alone]:
        if at in alone:
            keys += list(at) * (len(groups[at]) // 3 - 1)
        keys += list(at) + (seen[at] if both else [])
        packed += groups[at]
        if at not in alone:
            text += "%s%d" % ("s" if len(at) == 2 else "b",
                              len(groups[at]) // 3)
    args = [c["seq"], 86400, "q", c["high"], c["not_after"], c["name"]]
    if groups:
        args += [window, both, text, pack(packed)]
    return keys, args + [line for _, line in c["lines"]]


class World:
    def __init__(self, path, db, scripts):
        self.redis = Redis(path, db)
        self.scripts = [self.redis("SCRIPT", "LOAD", s) for s in scripts]
        self.kinds, self.both = len(scripts), 0

    def publish(self, c, window, new):
        if new:
            keys, args = call_new(c, window, self.both)
        else:
            keys, args = call_old(c, window)
        reply = self.redis("EVALSHA", self.scripts[new], len(keys), *keys, *args)
        if isinstance(reply, list):
            del reply[1]  # the time
        return reply

    def marks(self, new):
        """Of each tag: the increment, and how long it lives."""
        found = {}
        for tag in TAGS:
            if not new:
                line, key = self.redis("GET", SEEN + tag), SEEN + tag
                if isinstance(line, bytes):
                    found[tag] = (line, self.redis("PTTL", key))
                continue
            keys, field = place(tag)
            for key in keys:
                was = self.redis("HGET", key, field)
                if isinstance(was, bytes):
                    ms = self.redis("PTTL", key)
                    was = was[len(mark("")):]
                    found[tag] = (was, max(ms, found.get(tag, (0, 0))[1]))
        return found

    def forget(self, tags):
        """As if their marks were over, of all tags of a block or shelf."""
        for tag in tags:
            self.redis("DEL", SEEN + tag, *place(tag)[0])

    def state(self):
        r = self.redis
        return [r("LRANGE", READY, 0, -1), r("HGETALL", TOTALS),
                r("SMEMBERS", QUEUES)] + [
                    r("GET", "publisher::" + p) for p in PUBLISHERS]


def batch(rnd, last, sent, now):
    """A new one, one that was sent before, or one that is no next one."""
    if sent and rnd.random() < 0.2:
        return dict(rnd.choice(sent), high=0, not_after=now + 10 ** 6)
    who = rnd.choice(PUBLISHERS)
    lines = []
    for _ in range(rnd.randint(1, 12)):
        tag = rnd.choice(TAGS) if rnd.random() < 0.8 else ""
        lines.append((tag, "line %d" % (rnd.random() < 0.15) + tag))
    if rnd.random() < 0.2:  # a whole block, and more
        lines += [("x." + f, "line 0x." + f) for f in BLOCKS["x"]]
    return {
        "id": who, "seq": last[who] + (1 if rnd.random() < 0.95 else 2),
        "name": "%x" % rnd.getrandbits(32), "lines": lines,
        "high": rnd.choice([0, 0, 0, 5]),
        "not_after": now + (10 ** 6 if rnd.random() < 0.95 else -10 ** 6)}


def disturb(rnd, worlds):
    """What happens between two calls, to all alike."""
    what = rnd.random()
    for w in worlds:
        if what < 0.06:
            w.forget(t for t in TAGS if t.startswith("x"))
        elif what < 0.09:
            w.forget(SINGLES)
        elif what < 0.2:
            w.redis("RPOP", READY, 8)
        elif what < 0.25:  # the time of a shelf is over
            w.redis("SET", TURN, "%d 1000 0 0" % rnd.randint(1, 2))
        elif what < 0.27:
            w.redis("DEL", TURN)


def broken(rnd, worlds, publish):
    """One call while a key is of another type, or Redis has no memory."""
    what = rnd.choice([READY, TOTALS, "memory", "memory"])
    if what == "memory":
        worlds[0].redis("CONFIG", "SET", "maxmemory", 1)
    for w in worlds:
        if what != "memory":
            w.redis("RENAME", what, "aside")
            w.redis("SET", what, "x")
    publish()
    for w in worlds:
        if what != "memory":
            w.redis("DEL", what)
            w.redis("RENAME", "aside", what)
    worlds[0].redis("CONFIG", "SET", "maxmemory", 0)


def compare(worlds, call, replies, outcomes):
    old, new, mixed = worlds
    if any(r != replies[0] for r in replies):
        sys.exit("%s: replies %s" % (call, replies))
    states = [w.state() for w in worlds]
    if any(s != states[0] for s in states):
        sys.exit("%s: states %s" % (call, states))
    others = ("new", new.marks(True)), ("both", mixed.marks(False))
    marks = old.marks(False)  # last, since their lives get shorter meanwhile
    for what, other in others:
        if {t: m[0] for t, m in marks.items()} != {
                t: m[0] for t, m in other.items()}:
            sys.exit("%s: marks %s, %s %s" % (call, marks, what, other))
        for tag, (_, ms) in marks.items():
            if other[tag][1] < ms - 1000:
                sys.exit("%s: %s: %s lives %d ms, not %d" % (
                    call, what, tag, other[tag][1], ms))
    outcome = replies[0] if isinstance(replies[0], str) else replies[0][0]
    outcomes[outcome] = outcomes.get(outcome, 0) + 1


def main(path, old, new, seed=1, calls=1000):
    rnd = random.Random(int(seed))
    texts = [open(old, "rb").read(), open(new, "rb").read()]
    worlds = [World(path, db, texts) for db in (0, 1, 2)]
    seconds, _ = worlds[0].redis("TIME")
    now = int(seconds) * 1000
    worlds[2].both = now + 10 ** 7
    last, sent, outcomes = dict.fromkeys(PUBLISHERS, 0), [], {}
    for w in worlds:
        for p in PUBLISHERS:
            w.redis("SET", "publisher::" + p, 0)

    def publish():
        call = batch(rnd, last, sent, now)
        window = rnd.choice([LIFE, LIFE, 3 * LIFE])
        kinds = (0, 1, rnd.randint(0, 1))
        replies = [w.publish(call, window, k) for w, k in zip(worlds, kinds)]
        compare(worlds, call, replies, outcomes)
        if replies[0][0] == 1:
            last[call["id"]] = call["seq"]
            sent.append(call)
            del sent[:-20]

    for _ in range(int(calls)):
        disturb(rnd, worlds)
        if rnd.random() < 0.1 and worlds[0].redis("LLEN", READY) > 0:
            broken(rnd, worlds, publish)
        else:
            publish()
    print(" ".join("%s:%d" % (o, n) for o, n in sorted(
        outcomes.items(), key=str)))


if __name__ == "__main__":
    main(*sys.argv[1:])
