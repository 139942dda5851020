/*
 * From the ready list to the table: register, take, adopt, read, renew,
 * acknowledge (lib/queue/lua) and the ledger (lib/postgres/statements.c,
 * lib/flush/), with one or two pipes of incr-consume and incr-flush, two
 * payloads and a few faults (kinds below):
 *
 *	KILL	a process ends between any two steps; its pipe starts anew
 *	PAUSE	a mark, owner or flush, runs out although who renews it lives
 *	STOP	one half of a pipe stands still for ever, and its mark runs
 *		out; its other half goes on
 *	LOST	a call is done, its answer lost: the caller repeats
 *	LATE	a call is done at any time after its caller went on
 *	MONTH	thirty days pass: old rows of the ledger are deleted
 *	RESTORE	Redis dies and comes back as it was at some time before
 *	BACK	no fault, but after RESTORE who acknowledges what was never
 *		taken there ends; else it goes on
 *	STANDBY	Postgres has a synchronous standby; a COMMIT that waits for it
 *		ends before it has it (a cancelled wait, a restart), with a
 *		warning or without an answer; later, the standby takes over
 *	FAILOVER	Redis dies, and a replica takes over, which has what it had when
 *		the primary last confirmed (WAIT, --replicas), or later
 *	BACK	Postgres is as it was at some time before: an asynchronous
 *		standby, a base backup (built with -DBACKWARDS)
 *	GIVE	a kept batch gives way before its time, for want of memory (the
 *		same)
 *
 * A pause needs no step of its own: every process may wait as long as it
 * likes between two steps while others go on.  A call and its script are one
 * step, for nobody but the caller knows its arguments before.  What the
 * network keeps is gone after a month, and after a death of Redis.
 *
 * What is checked, in every interleaving:
 *	no payload is added to the table twice (assert in apply)
 *	no program ends with 100 or 101 (assert at FAIL)
 *	where nothing can happen any more (timeout): every payload is counted,
 *	its dead letter is there once, no batch list is left, and nobody is
 *	registered but those who live (process monitor)
 *
 * Each payload stands for a line that is counted and one that is rejected.
 * Simpler than the programs: one window and one receipt in incr-flush, one
 * adopted consumer in incr-consume, a pipe of two batches, one host: an owner
 * whose process is gone may run out at once, which is what a look at its pid
 * comes to.  An empty look, or a call that would change nothing, is no step.
 *
 * Run by tests/model/check: WORKERS, FAULTS, KINDS and BROKEN, the rule to be
 * left out, come from the environment.
 */
#define WORKERS		2	/* at most */
#define PAYLOADS	2
#define IDS	8				/* register: enough */
#define SEQS	(PAYLOADS + 1)			/* 1..PAYLOADS */
#define NONE	255
#define LATER	4				/* calls under way at most */

#define FAIL	assert(false)

/* Kinds of faults. */
#define KILL	1
#define PAUSE	2
#define LOST	4
#define LATE	8
#define MONTH	16
#define RESTORE	32
#define STANDBY	64
#define STOP	128
#define BACK	256
#define FAILOVER	512
#define GIVE	1024

/* Rules, each left out once. */
#define TAKE_REGISTERED		1
#define TAKE_OWNER		2
#define TAKE_AGAIN		3
#define TAKE_NEXT		4
#define ADOPT_AS_SEEN		5
#define SWEEP_EMPTY		6
#define RENEW_REGISTERED	8
#define RENEW_OWN		9
#define LEDGER		10
#define OLDEST_FIRST		11
#define ASK_AGAIN		12
#define SWEPT_ROW		13
#define LOOK		14
#define DAY		15
#define AWAY		16
#define ACK_AFTER		17
#define TRIM		18
#define LEDGER_GC_ASK		19
#define RUN		20
#define ACK_FROM	21
#define RENEW_MISSING	22
#define ROW_WRITTEN	23
#define WARNING	24
#define FLUSH_MARK	25
#define AGED		26
#define CALLER		27
#define LAST_STAYS	28
#define WAIT_TAKE	29
#define WAIT_READ	30
#define TAKE_WRITES	31
#define READ_WRITES	32
#define REJECT_ONCE	40
#define CLOSE_RENEW	41
#define UNACKED		42
#define SWEEP_KEPT	43
#define LET_GO		44
#define GAP_RESTORE	45
#define GAP_OLDEST	46
#define GAP_EXACT	47
#define CHECK_ROWS	48
#define DISOWN_RECORD	49
#define ROW_AGAIN	50
#define SEEN_NUMBER	51
#define SEEN_TIMES	52
#define GAVE_STAYS	53
#define KEPT_ONLY	54
#define NAMES_LEARNT	55

c_decl {
static long
number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtol(text, NULL, 10);
}
}

mtype = { BEGIN, OWN, ADOPTED, REGISTER, TAKE, ADOPT, RENEW, ACK, APPLY };

/* -- Redis and Postgres ------------------------------------------------- */

typedef consumer {
	bool registered;	/* consumers, ::last and ::batches exist */
	byte owner;		/* who speaks for it, or NONE */
	byte mark;		/* the mark of the incr-flush behind it */
	byte last;
	byte batch[SEQS];	/* payloads, a bit each; 0: no such list */
#ifdef BACKWARDS
	byte kept[SEQS];	/* acknowledged, their lists are still there */
	byte gave[SEQS];	/* kept ones that gave way: what was in them */
	byte acked;		/* the last one acknowledged */
	byte again;		/* restored, a bit each: rejects were copied */
	byte closed;		/* so often: adoption only */
	byte told;		/* numbers that were said to be lost */
	byte sure;		/* acknowledged, and the row has them */
#endif
}
consumer redis[2 * IDS];	/* the second half: a copy, or the replica */
byte ready, copy_ready;		/* the oldest payload that waits */
byte fresh;			/* the next id */
byte rejected[PAYLOADS], copy_rejected[PAYLOADS];

byte row[IDS];			/* incr_ledger; 0: no row */
byte counted[PAYLOADS];		/* increments */
byte standby_row[IDS], standby_counted[PAYLOADS];
bool promoted;			/* the standby has taken over */

byte faults;			/* still to come */
byte workers;
short kinds;			/* of these */
bool passed, restored, failed_over;	/* these came, once each */
#ifdef BACKWARDS
byte was_row[IDS], was_counted[PAYLOADS];
bool went_back;
hidden byte keeps;		/* 1: --keep, longer than all of this takes;
				 * 0: not; 2: by some */
byte lost;			/* payloads that may be: not kept */
byte gave_told;			/* payloads that gave way, told to be lost */
#endif
byte circles;			/* adoptions from each other, nobody flushes */
hidden byte broken;		/* the rule that is left out, 0: none */
#define RULE(r)	(broken != r)

/* A call that is done late: what, three arguments, and for apply what each
 * batch of the window holds. */
chan late = [LATER] of { mtype, byte, byte, byte, byte, byte };

#define HAS_BATCHES(c)	(redis[c].batch[1] || redis[c].batch[SEQS - 1])
/* A condition on ids: of any, and a choice among those. */
#define ANY_ID(p)	(p(0) || p(1) || p(2) || p(3) || p(4) || p(5) || \
			 p(6) || p(7))
#define EACH_ID(p, x)	:: p(0) -> x = 0 :: p(1) -> x = 1 \
			:: p(2) -> x = 2 :: p(3) -> x = 3 \
			:: p(4) -> x = 4 :: p(5) -> x = 5 \
			:: p(6) -> x = 6 :: p(7) -> x = 7
/* A flush mark. */
#define NEVER	0	/* there never was one */
#define FRESH	1
#define STALE	2	/* it ran out */
#define OLD	3	/* there never was one, the oldest batch is 5 s old */

/* adopt.lua, is_dead: either half.  That of the flush is the one behind who
 * speaks for it. */
#define SPEAKER_FLUSH(c)	redis[redis[c].owner].mark
#define DEAD(c, by)	(NOBODY(c) || HAS_BATCHES(c) && \
	(RULE(FLUSH_MARK) && SPEAKER_FLUSH(c) == STALE || \
	 RULE(AGED) && SPEAKER_FLUSH(c) == OLD && redis[by].mark == FRESH))
/* May it take and adopt? */
#define MAY_TAKE(c)	(redis[c].mark != STALE || !RULE(CALLER))

/* What restore.lua leaves as the owner: nobody, and another nobody each time,
 * so that no adoption comes late that does not know what was restored. */
#define LEFT(c)	(NONE - redis[c].closed)
#define NOBODY(c)	(redis[c].owner > NONE - 32)

#ifdef BACKWARDS
/* What gave way stays among the kept ones, until its time, without its list. */
#define HAS_KEPT(c)	(redis[c].kept[1] || redis[c].kept[SEQS - 1] || \
			 RULE(GAVE_STAYS) && (redis[c].gave[1] || \
			  redis[c].gave[SEQS - 1]))
#define CLOSED(c)	(redis[c].closed > 0)
#define SEEN(c, was)	(redis[c].owner == was || !RULE(DISOWN_RECORD) && \
			 NOBODY(c) && was > NONE - 32)
#define WAS(c)		redis[c].owner
#define BASE		F.base
#else
#define HAS_KEPT(c)	false
#define CLOSED(c)	false
#define SEEN(c, was)	true
#define WAS(c)		0
#define BASE		F.first - 1
#endif

#define FAULT(kind)	(faults > 0 && kinds & kind) -> faults--

/* An owner key does not live long enough to come back. */
inline copy_consumers(to, from) {
	c = 0;
	do
	:: c < IDS ->
		redis[to + c].registered = redis[from + c].registered;
		redis[to + c].last = (redis[from + c].registered ||
		    kinds & FAILOVER -> redis[from + c].last : 0);
		redis[to + c].mark = redis[from + c].mark;
		s = 1;
		do
		:: s < SEQS ->
			redis[to + c].batch[s] = redis[from + c].batch[s];
			s++
		:: else -> break
		od;
		s = 0;
		c++
	:: else -> break
	od;
	c = 0
}

/* The replica has all that the primary has. */
inline replicate_redis() {
	copy_consumers(IDS, 0);
	copy_ready = ready;
	copy_rejected[0] = rejected[0];
	copy_rejected[1] = rejected[1]
}

/* WAIT is about what its connection wrote before. */
inline confirm(rule, wrote) {
	if
	:: kinds & FAILOVER && !failed_over && RULE(rule) && (wrote) ->
		replicate_redis()
	:: else
	fi
}

/* register.lua: from SISMEMBER to SET owner */
inline register(who) {
	redis[who].registered = true;
	redis[who].owner = who;
	redis[who].last = 0
}

/* take.lua.  took: 0 refused or empty, else the payloads. */
inline take(who, nr) {
	took = 0;
	if
	/* SISMEMBER consumers */
	:: RULE(TAKE_REGISTERED) && !redis[who].registered
	/* string.sub(record, 1, #id) ~= id */
	:: RULE(TAKE_OWNER) && redis[who].owner != who
	/* flush_state(id) == STALE */
	:: !MAY_TAKE(who)
	:: else ->
		if
		/* ZSCORE batches seq */
		:: RULE(TAKE_AGAIN) && redis[who].batch[nr] != 0 ->
			took = redis[who].batch[nr]
		/* seq ~= last + 1 */
		:: RULE(TAKE_NEXT) && nr != redis[who].last + 1 &&
		   redis[who].batch[nr] == 0
		:: !RULE(TAKE_AGAIN) && RULE(TAKE_NEXT) &&
		   nr != redis[who].last + 1 && redis[who].batch[nr] != 0
		:: else ->
			/* count of them: as many as have been published, or
			 * as -n allows */
			if
			:: ready < PAYLOADS -> took = 1 << ready; ready++
			:: ready + 1 < PAYLOADS ->
				took = 3 << ready;
				ready = ready + 2
			:: ready == PAYLOADS
			fi;
			if
			:: took != 0 ->
				redis[who].batch[nr] = took;
				redis[who].last = nr
			:: else
			fi
		fi
	fi
}

/* adopt.lua, take_over: got: the numbers of the batches, a bit each */
inline adopt(who, speaker, was) {
	got = 0;
	if
	:: who == speaker || !redis[who].registered || !SEEN(who, was)
	/* ZCOUNT kept */
	:: RULE(SWEEP_KEPT) && HAS_KEPT(who) && !HAS_BATCHES(who)
	:: !MAY_TAKE(speaker)
	/* GET owner ~= expected, GET flush ~= expected */
	:: RULE(ADOPT_AS_SEEN) && !DEAD(who, speaker)
	:: else ->
		if
		:: RULE(SWEEP_EMPTY) && HAS_BATCHES(who) ->
			redis[who].owner = speaker;
			s = 1;
			do
			:: s < SEQS ->
				if
				:: redis[who].batch[s] != 0 -> got = got | 1 << s
				:: else
				fi;
				s++
			:: else -> break
			od
		:: else ->	/* #seqs == 0: sweep */
			redis[who].registered = false;
			/* EXPIRE last, a day */
			if
			:: RULE(LAST_STAYS)
			:: else -> redis[who].last = 0
			fi;
			redis[who].owner = NONE;
			redis[who].mark = NEVER;
#ifdef BACKWARDS
			redis[who].acked = 0;
			redis[who].again = 0;
			redis[who].closed = 0;
			redis[who].told = 0;
			redis[who].sure = 0;
#endif
			s = 1;
			do
			:: s < SEQS ->
				redis[who].batch[s] = 0;
#ifdef BACKWARDS
				redis[who].kept[s] = 0;
				redis[who].gave[s] = 0;
#endif
				s++
			:: else -> break
			od
		fi
	fi;
	s = 0
}

/* renew.lua, renew */
inline renew(who, speaker) {
	if
	:: RULE(RENEW_REGISTERED) && !redis[who].registered
	/* string.sub(was, 1, #speaker) ~= speaker */
	:: RULE(RENEW_OWN) && redis[who].owner != NONE &&
	   redis[who].owner != speaker
	/* EXISTS closed */
	:: RULE(CLOSE_RENEW) && CLOSED(who) && who == speaker
	/* not was and id ~= speaker */
	:: RULE(RENEW_MISSING) && redis[who].owner == NONE && who != speaker
	:: else -> redis[who].owner = speaker
	fi
}

#ifdef BACKWARDS
#define COPIES(who, s)	!(RULE(REJECT_ONCE) && redis[who].again & 1 << s)

/* restore.lua: what is kept above a row is unacknowledged again; whoever lets
 * go of the consumer or finds its row back makes it nobody's.  oldest: the
 * first batch that is left, NONE without.  Nothing is done if it is not as the
 * caller knows it (same).  Numbers above the row, up to a known one, that are not there are said to be
 * lost, once.  None that a check finds was acknowledged after it was counted.  (A
 * batch that was acknowledged after it was counted in the Postgres of before
 * may still be counted, from a copy that is under way.) */
inline restore(who, at, known, speaker, same) {
	if
	:: !(same)
	:: else ->
		restore_same(who, at, known, speaker)
	fi
}
inline restore_same(who, at, known, speaker) {
	got = redis[who].acked > at;
	oldest = NONE;
	s = SEQS - 1;
	do
	:: s > 0 ->
		if
		:: s > at && redis[who].kept[s] != 0 ->
			redis[who].batch[s] = redis[who].kept[s];
			redis[who].kept[s] = 0;
			redis[who].again = redis[who].again | 1 << s;
			got = 1
		:: else
		fi;
		if
		:: s > at && redis[who].batch[s] != 0 -> oldest = s
		:: s > at && redis[who].batch[s] == 0 &&
		   redis[who].registered &&
		   (s <= known || s <= redis[who].acked) &&
		   !(redis[who].told & 1 << s) ->
			assert(!(redis[who].sure & 1 << s) || speaker != NONE);
			redis[who].told = redis[who].told | 1 << s
		:: else
		fi;
		if
		:: s > at && redis[who].batch[s] == 0 &&
		   redis[who].registered ->
			gave_told = gave_told | redis[who].gave[s]
		:: else
		fi;
		s--
	:: else -> break
	od;
	if
	:: redis[who].registered && got ->
		assert(redis[who].closed < 31);
		redis[who].closed++;
		redis[who].owner = LEFT(who)
	:: redis[who].registered && !got && RULE(LET_GO) &&
	   redis[who].owner == speaker ->
		redis[who].closed++;
		redis[who].owner = LEFT(who)
	:: else
	fi;
	if
	:: redis[who].acked > at -> redis[who].acked = at
	:: else
	fi;
	got = 0
}
#else
#define COPIES(who, s)	true
#endif

/* acknowledge.lua: lo..hi.  Copies come from the list itself. */
inline acknowledge(who, lo, hi) {
	s = lo;
	do
	:: s <= hi ->
		i = 0;
		do
		:: i < PAYLOADS ->
			if
			:: redis[who].batch[s] & 1 << i && COPIES(who, s) ->
				rejected[i]++
			:: else
			fi;
			i++
		:: else -> break
		od;
#ifdef BACKWARDS
		if
		:: redis[who].batch[s] != 0 ->
			redis[who].again = redis[who].again & ~(1 << s);
			redis[who].sure = redis[who].sure |
			    (row[who] >= s -> 1 << s : 0);
			if
			:: keeps > 0 -> redis[who].kept[s] = redis[who].batch[s]
			:: keeps != 1 -> lost = lost | redis[who].batch[s]
			fi;
			if
			:: s > redis[who].acked -> redis[who].acked = s
			:: else
			fi
		:: else
		fi;
#endif
		redis[who].batch[s] = 0;
		s++
	:: else -> break
	od;
	s = 0;
	i = 0
}

/* store.c, APPLY(FIRST or NEXT): moved, and the sums only if it moved */
inline apply(who, at, hi, m_lo, m_hi) {
	moved = false;
	if
	/* seq = $3, on conflict do nothing */
	:: RULE(LEDGER) && row[who] != at && RULE(GAP_EXACT)
	:: !RULE(GAP_EXACT) && row[who] >= hi
	:: else ->
		moved = true;
		row[who] = hi;
		i = 0;
		do
		:: i < PAYLOADS ->
			if
			:: (m_lo | m_hi) & 1 << i ->
				/* what came back to ready counts again */
				assert(counted[i] == 0 || restored);
				counted[i] = 1
			:: else
			fi;
			i++
		:: else -> break
		od
	fi;
	i = 0
}

/* A write that is committed with all that was before it: the standby has it,
 * too. */
inline replicate() {
	i = 0;
	do
	:: i < IDS -> standby_row[i] = row[i]; i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < PAYLOADS -> standby_counted[i] = counted[i]; i++
	:: else -> break
	od;
	i = 0
}

/* A statement that writes nothing waits for no standby. */
inline replicate_move() {
	if
	:: moved -> replicate()
	:: else
	fi
}

/* statements_read: the row, read by a write to it, where there is one. */
inline read_row(who) {
	if
	:: RULE(ROW_WRITTEN) && row[who] != 0 -> replicate()
	:: else
	fi
}

/* What the network kept, and delivers when it likes. */
active proctype network()
{
	mtype what;
	byte a, b, c, m1, m2, s, i, took, got;
	bool moved;

end:	do
	:: atomic { nempty(late) ->
		if
		:: late ?? [REGISTER, a, b, c, m1, m2] ->
			late ?? REGISTER, a, b, c, m1, m2;
			register(a)
		:: late ?? [TAKE, a, b, c, m1, m2] ->
			late ?? TAKE, a, b, c, m1, m2;
			take(a, b)
		:: late ?? [ADOPT, a, b, c, m1, m2] ->
			late ?? ADOPT, a, b, c, m1, m2;
			adopt(a, b, c)
		:: late ?? [RENEW, a, b, c, m1, m2] ->
			late ?? RENEW, a, b, c, m1, m2;
			renew(a, b)
		:: late ?? [ACK, a, b, c, m1, m2] ->
			late ?? ACK, a, b, c, m1, m2;
			acknowledge(a, b, c)
		:: late ?? [APPLY, a, b, c, m1, m2] ->
			late ?? APPLY, a, b, c, m1, m2;
			apply(a, b, c, m1, m2);
			replicate_move()
		fi;
		a = 0; b = 0; c = 0; m1 = 0; m2 = 0; took = 0; got = 0;
		moved = false }
	od
}

/* -- incr-consume -------------------------------------------------------- */

chan pipe[WORKERS] = [2] of { mtype, byte, byte, byte };

typedef consume {
	bool up;
	bool stopped;
	byte me;		/* NONE: nameless */
	byte seq;		/* stream.last */
	byte orphan, unread;	/* adopted, and what of it is to be read */
	byte named;		/* ids below: their keys are named to adopt.lua */
}
consume cons[WORKERS];

typedef flush {
	bool up;
	bool stopped;
	byte self;		/* intake.consumer */
	byte asked;		/* 0 yet to be, 1 registered, 2 a stranger */
	bool pending;		/* intake.point */
	mtype kind;
	byte pc, pseq, pmask;
	bool open;		/* the window */
	bool adopted, read;	/* COMMITTER_READ instead of COMMITTER_SEND */
	byte wc, wself, from, first, last, m[SEQS];
#ifdef BACKWARDS
	byte base;		/* where the row must stand */
	bool gap;		/* below the pending batch: restore first */
	byte gc, grow;		/* a row that is back; gc NONE: none */
	byte gacked, gclosed;	/* as it was seen before */
#endif
	bool due;		/* frozen */
	byte rc, rself, rfirst, rlast;	/* receipt; rc NONE: none */
	byte kc, krow, klast;	/* known; kc NONE: not valid */
	bool old, paused;	/* after MONTH */
}
flush fl[WORKERS];

#define C	cons[w]
#define F	fl[w]

inline lose_name() {
	C.me = NONE;
	C.seq = 0;
	C.orphan = NONE;
	C.unread = 0
}

inline consume_gone() {
	C.up = false;
	C.named = 0;
	lose_name()
}

/* Of one whose owner is not named it can't be seen whether it is flushed. */
#define OWNER_SEEN(x)	(NOBODY(x) || redis[x].owner < C.named)
#define MAY_ADOPT(x)	(redis[x].registered && x != C.me && \
			 (HAS_BATCHES(x) || !HAS_KEPT(x) || \
			  !RULE(SWEEP_KEPT)) && \
			 (DEAD(x, C.me) || \
			  !RULE(ADOPT_AS_SEEN) && redis[x].owner != C.me))
#define NAMED(x)	(x < C.named && OWNER_SEEN(x))
#define CANDIDATE(x)	(MAY_ADOPT(x) && NAMED(x))
#define UNNAMED(x)	(MAY_ADOPT(x) && !NAMED(x))
#define GOES	(C.up && !C.stopped)

proctype incr_consume(byte w)
{
	byte x, s, c, took, got;
	bool again;

end:	do
	/* CONSUMER_REGISTER: a new id each time */
	:: atomic { GOES && F.up && C.me == NONE && nfull(pipe[w]) ->
		x = fresh;
		assert(x < IDS);
		fresh++;
		if
		:: register(x);
		   C.me = x;
		   pipe[w] ! BEGIN, x, 0, 0
		:: FAULT(LOST); register(x)
		:: FAULT(LATE); late ! REGISTER, x, 0, 0, 0, 0
		fi;
		x = 0 }

	/* CONSUMER_TAKE */
	:: atomic { GOES && F.up && C.me != NONE && nfull(pipe[w]) &&
	   redis[C.me].registered &&
	   (redis[C.me].owner == C.me || !RULE(TAKE_OWNER)) &&
	   C.seq + 1 < SEQS && MAY_TAKE(C.me) &&
	   (ready < PAYLOADS || redis[C.me].batch[C.seq + 1] != 0) ->
		again = redis[C.me].batch[C.seq + 1] != 0;
		if
		:: take(C.me, C.seq + 1);
		   if
		   :: took != 0 ->
			confirm(WAIT_TAKE, !again || RULE(TAKE_WRITES));
			C.seq++;
			pipe[w] ! OWN, C.me, C.seq, took
		   :: else -> lose_name()	/* QUEUE_GONE */
		   fi
		:: FAULT(LOST); take(C.me, C.seq + 1)
		:: FAULT(LATE); late ! TAKE, C.me, C.seq + 1, 0, 0, 0
		fi;
		took = 0; again = false }

	/* CONSUMER_RENEW, itself (also after QUEUE_NOT_OWNER) */
	:: atomic { GOES && C.me != NONE &&
	   (!redis[C.me].registered || redis[C.me].owner != C.me) ->
		if
		:: renew(C.me, C.me);
		   if
		   :: redis[C.me].registered && redis[C.me].owner == C.me
		   :: else -> lose_name()	/* QUEUE_DISOWNED */
		   fi
		:: FAULT(LOST); renew(C.me, C.me)
		:: FAULT(LATE); late ! RENEW, C.me, C.me, 0, 0, 0
		fi }

	/* CONSUMER_RENEW, the one adopted */
	:: atomic { GOES && C.me != NONE && C.orphan != NONE &&
	   (redis[C.orphan].owner != C.me || !redis[C.orphan].registered ||
	    !HAS_BATCHES(C.orphan)) ->
		renew(C.orphan, C.me);
		if
		:: redis[C.orphan].registered &&
		   redis[C.orphan].owner == C.me && HAS_BATCHES(C.orphan)
		:: else -> C.orphan = NONE; C.unread = 0
		fi }

	/* CONSUMER_ADOPT: names those who are registered from now on */
	:: atomic { GOES && C.me != NONE && C.orphan == NONE &&
	   RULE(NAMES_LEARNT) && ANY_ID(UNNAMED) -> C.named = fresh }

	/* CONSUMER_ADOPT: anyone who is a candidate */
	:: atomic { GOES && F.up && C.me != NONE && C.orphan == NONE &&
	   MAY_TAKE(C.me) && ANY_ID(CANDIDATE) ->
		if
		EACH_ID(CANDIDATE, x)
		fi;
		if
		:: fl[0].stopped && fl[1].stopped && !NOBODY(x) ->
			circles++;
			assert(circles < 3)
		:: else
		fi;
		if
		:: adopt(x, C.me, WAS(x));
		   if
		   :: got != 0 -> C.orphan = x; C.unread = got
		   :: else
		   fi
		:: FAULT(LOST); adopt(x, C.me, WAS(x))
		:: FAULT(LATE); late ! ADOPT, x, C.me, WAS(x), 0, 0
		fi;
		x = 0; got = 0 }

	/* CONSUMER_READ: read.lua; oldest first */
	:: atomic { GOES && F.up && C.orphan != NONE && C.unread != 0 &&
	   nfull(pipe[w]) ->
		s = (RULE(OLDEST_FIRST) -> 1 : SEQS - 1);
		do
		:: C.unread & 1 << s -> break
		:: else -> s = (RULE(OLDEST_FIRST) -> s + 1 : s - 1)
		od;
		x = s;
		if
		:: redis[C.orphan].batch[x] != 0 ->
			confirm(WAIT_READ, RULE(READ_WRITES))
		:: else
		fi;
		s = x; x = 0;
		if
		:: redis[C.orphan].batch[s] != 0 ->
			pipe[w] ! ADOPTED, C.orphan, s,
			    redis[C.orphan].batch[s]
		:: else
		fi;
		C.unread = C.unread & ~(1 << s);
		s = 0 }

	:: atomic { GOES && FAULT(STOP); C.stopped = true }

	/* its reader has gone; kill -9 */
	:: atomic { GOES && !F.up -> consume_gone() }
	:: atomic { GOES && F.up && FAULT(KILL); consume_gone() }
	od
}

/* -- incr-flush ----------------------------------------------------------- */

/* A mark that nobody renews any more runs out at once: who goes by it may
 * have done so before. */
inline end_mark() {
	if
	:: F.self != NONE && redis[F.self].mark == FRESH ->
		redis[F.self].mark = STALE
	:: else
	fi
}

inline make_mark() {
	if
	:: redis[F.self].registered && !F.stopped ->
		redis[F.self].mark = FRESH
	:: else
	fi
}

inline flush_gone() {
	end_mark();
	F.up = false;
	F.self = NONE;
	F.asked = 0;
	F.rc = NONE; F.rself = 0; F.rfirst = 0; F.rlast = 0;
	F.kc = NONE; F.krow = 0; F.klast = 0;
	F.paused = false;
#ifdef BACKWARDS
	F.gap = false;
	F.gc = NONE; F.grow = 0; F.gacked = 0; F.gclosed = 0;
#endif
	done_pending();
	close_window();
	do
	:: nempty(pipe[w]) -> pipe[w] ? _, _, _, _
	:: empty(pipe[w]) -> break
	od
}

inline done_pending() {
	F.pending = false;
	F.kind = 0; F.pc = 0; F.pseq = 0; F.pmask = 0
}

inline close_window() {
	F.open = false; F.adopted = false; F.read = false; F.due = false;
	F.old = false;
	F.wc = NONE; F.wself = 0; F.first = 0; F.last = 0;
	F.from = 0;
#ifdef BACKWARDS
	F.base = 0;
#endif
	s = 0;
	do
	:: s < SEQS -> F.m[s] = 0; s++
	:: else -> break
	od;
	s = 0
}

/* window_open, window_add_batch; here the window fits */
inline merge() {
	if
	:: !F.open ->
		F.open = true;
		F.wc = F.pc;
		F.wself = F.self;
		F.adopted = F.kind == ADOPTED;
		F.first = F.pseq;
#ifdef BACKWARDS
		F.base = (F.adopted && RULE(LOOK) -> F.krow : F.pseq - 1);
#endif
		F.from = F.pseq
	:: else
	fi;
	F.last = F.pseq;
	F.m[F.pseq] = F.pmask;
	done_pending()
}

#define CONTINUES (F.wc == F.pc && F.adopted == (F.kind == ADOPTED) && \
	F.last + 1 == F.pseq)
#define FREE	(F.rc == NONE)

inline committed() {
	F.rc = F.wc; F.rself = F.wself;
	F.rfirst = (RULE(ACK_FROM) -> F.from : F.first);
	F.rlast = F.last;
	if
	:: F.adopted && F.kc == F.wc && F.krow < F.last -> F.krow = F.last
	:: else
	fi;
	close_window()
}

#ifdef BACKWARDS
/* acknowledger_drop */
inline unacknowledge(who, at) {
	if
	:: RULE(UNACKED) && F.rc == who && F.rlast > at ->
		F.rc = NONE; F.rself = 0; F.rfirst = 0; F.rlast = 0
	:: else
	fi
}

/* What restore.lua is to find: nothing was acknowledged or restored since. */
#define AS_SEEN	((redis[F.gc].acked == F.gacked || !RULE(SEEN_NUMBER)) && \
		 (redis[F.gc].closed == F.gclosed || !RULE(SEEN_TIMES)))
#define BEHIND_ACKED(x)	(redis[x].registered && redis[x].acked > row[x])
#define GAP	F.gap = true
#define GAPS	F.gap
#define AGO	went_back
#else
#define GAP	FAIL	/* 101 */
#define GAPS	false
#define AGO	false
#endif

#define AWAKE	(F.up && !F.stopped && !(F.paused && RULE(AWAY)))

proctype incr_flush(byte w)
{
	byte s, i;
	bool moved;
#ifdef BACKWARDS
	byte x, oldest, got;
#endif

end:	do
	/* flusher_step: paused for a day */
	:: atomic { F.up && !F.stopped && F.paused && RULE(AWAY) ->
		flush_gone() }

	:: atomic { AWAKE && !F.pending && !F.due && nempty(pipe[w]) &&
	   (F.asked > 0 || F.self == NONE) ->
		pipe[w] ? F.kind, F.pc, F.pseq, F.pmask;
		if
		:: F.kind == BEGIN ->	/* begin_consumer */
			end_mark();
			F.self = F.pc;
			make_mark();
			done_pending()
		:: else ->
			if
			:: F.asked != 2 -> F.pending = true
			/* is_known: of the batch's own consumer is asked,
			 * too; one that was swept is in the ledger */
			:: RULE(ASK_AGAIN) && F.asked == 2 &&
			   redis[F.pc].registered ->
				F.asked = 1;
				F.pending = true
			:: RULE(SWEPT_ROW) && F.asked == 2 &&
			   !redis[F.pc].registered && row[F.pc] >= F.pseq ->
				F.pending = true
			:: else ->
				if
				:: F.paused || restored || AGO -> flush_gone()
				:: else -> FAIL		/* 100 */
				fi
			fi
		fi }

	/* ACKNOWLEDGER_ASK */
	:: atomic { AWAKE && F.self != NONE && F.asked == 0 ->
		F.asked = (redis[F.self].registered -> 1 : 2) }

	/* place_own */
	:: atomic { AWAKE && F.pending && F.kind == OWN && !F.due ->
		if
		:: F.open && !CONTINUES -> F.due = true
		:: else -> merge()
		fi }

	/* place_adopted, look, row_known, acknowledge */
	:: atomic { AWAKE && F.pending && F.kind == ADOPTED && !F.due && !GAPS &&
	   (FREE || F.kc == F.pc && F.pseq > F.krow) ->
		if
		:: !RULE(LOOK) && F.open && !CONTINUES -> F.due = true
		:: !RULE(LOOK) && !(F.open && !CONTINUES) -> merge()
		:: RULE(LOOK) && F.kc == F.pc && F.pseq <= F.krow ->
			F.rc = F.pc; F.rself = F.self;
			F.rfirst = F.pseq; F.rlast = F.pseq;
			done_pending()
		:: RULE(LOOK) && F.kc == F.pc && F.pseq > F.krow &&
		   F.pseq == F.klast + 1 ->
			if
			:: F.open && !CONTINUES -> F.due = true
			:: else -> F.klast = F.pseq; merge()
			fi
		:: else ->
			if
			:: F.open -> F.due = true
			:: else ->
				read_row(F.pc);
				F.kc = F.pc;
				F.krow = row[F.pc];
				F.klast = F.krow;
				if
				:: F.pseq > F.krow + 1 -> GAP
				:: else
				fi
			fi
		fi }

#ifdef BACKWARDS
	/* flusher: a gap is passed only if restore leaves nothing below */
	:: atomic { AWAKE && F.gap ->
		if
		:: RULE(GAP_RESTORE) ->
			unacknowledge(F.pc, F.krow);
			restore(F.pc, F.krow, F.pseq - 1, F.self, true)
		:: else -> oldest = F.pseq
		fi;
		F.gap = false;
		if
		:: RULE(GAP_OLDEST) && oldest < F.pseq ->
			F.kc = NONE; F.krow = 0; F.klast = 0;
			done_pending()
		:: else -> F.klast = F.pseq - 1
		fi;
		oldest = 0 }

	/* ledger_check: acknowledged numbers, then rows, then restore */
	:: atomic { AWAKE && RULE(CHECK_ROWS) && F.gc == NONE && ANY_ID(BEHIND_ACKED) ->
		if
		EACH_ID(BEHIND_ACKED, x)
		fi;
		F.gc = x;
		F.grow = row[x];
		F.gacked = redis[x].acked;
		F.gclosed = redis[x].closed;
		unacknowledge(x, row[x]);
		x = 0 }
	:: atomic { AWAKE && F.gc != NONE ->
		restore(F.gc, F.grow, 0, NONE, AS_SEEN);
		F.gc = NONE; F.grow = 0; F.gacked = 0; F.gclosed = 0;
		oldest = 0 }
#endif

	/* the interval is over, or the input */
	:: atomic { AWAKE && F.open && !F.due -> F.due = true }

	/* COMMITTER_APPLY */
	:: atomic { AWAKE && F.due && !F.read && FREE ->
		if
		/* window_too_old */
		:: RULE(DAY) && F.old && F.first == 1 -> flush_gone()
		:: else ->
			if
			:: !RULE(ACK_AFTER) ->
				acknowledge(F.wc, F.first, F.last)
			:: else
			fi;
			if
			:: apply(F.wc, BASE, F.last, F.m[1], F.m[SEQS - 1]);
			   replicate_move();
			   if
			   :: moved -> committed()
			   :: else -> F.read = true
			   fi
			:: FAULT(LOST);
			   apply(F.wc, BASE, F.last, F.m[1], F.m[SEQS - 1]);
			   replicate_move()
			/* committed, but the standby does not have it */
			:: !promoted && FAULT(STANDBY);
			   apply(F.wc, BASE, F.last, F.m[1], F.m[SEQS - 1]);
			   if
			   :: moved && !RULE(WARNING) -> committed()
			   :: else
			   fi
			:: FAULT(LATE);
			   late ! APPLY, F.wc, BASE, F.last, F.m[1],
			       F.m[SEQS - 1]
			fi
		fi;
		moved = false }

	/* COMMITTER_READ_ROW: row_read, window_judge */
	:: atomic { AWAKE && F.due && F.read ->
		F.read = false;
		read_row(F.wc);
		if
		:: row[F.wc] >= F.last -> committed()
		:: row[F.wc] < F.last && row[F.wc] >= F.first ->
			if
			:: !F.adopted -> flush_gone()	/* 111 */
			:: !RULE(TRIM) && F.adopted ->
#ifdef BACKWARDS
				F.base = row[F.wc];
#endif
				F.first = row[F.wc] + 1
			:: RULE(TRIM) && F.adopted ->	/* window_trim */
				F.first = row[F.wc] + 1;
#ifdef BACKWARDS
				F.base = row[F.wc];
#endif
				s = 0;
				do
				:: s < F.first -> F.m[s] = 0; s++
				:: else -> break
				od;
				s = 0
			fi
		:: row[F.wc] == BASE
		:: row[F.wc] < F.first && row[F.wc] != BASE ->
#ifdef BACKWARDS
			restore(F.wc, row[F.wc], F.first - 1, F.wself, true);
			oldest = 0;
			unacknowledge(F.wc, row[F.wc]);
			if
			:: F.adopted ->
				F.kc = NONE; F.krow = 0; F.klast = 0;
				close_window()
			:: else -> flush_gone()		/* 111 */
			fi
#else
			if
			:: F.old || F.paused || restored -> flush_gone()
			:: else -> FAIL			/* 101 */
			fi
#endif
		fi }

	/* ACKNOWLEDGER_ACKNOWLEDGE, until there is an answer */
	:: atomic { AWAKE && F.rc != NONE ->
		if
		:: acknowledge(F.rc, F.rfirst, F.rlast);
		   if
		   /* never taken here: told, and 111 */
		   :: redis[F.rc].last < F.rlast && kinds & BACK ->
			assert(restored);
			flush_gone()
		   :: else ->
			assert(redis[F.rc].last >= F.rlast || restored);
			F.rc = NONE; F.rself = 0; F.rfirst = 0; F.rlast = 0
		   fi
		:: FAULT(LOST); acknowledge(F.rc, F.rfirst, F.rlast)
		:: FAULT(LATE); late ! ACK, F.rc, F.rfirst, F.rlast, 0, 0
		fi }

	/* ACKNOWLEDGER_MARK, after it ran out */
	:: atomic { AWAKE && F.self != NONE && redis[F.self].registered &&
	   redis[F.self].mark != FRESH -> make_mark() }

	/* all is done after the end of input; kill -9 */
	:: atomic { AWAKE && !C.up && empty(pipe[w]) && !F.pending && !F.open &&
	   F.rc == NONE -> flush_gone() }
	:: atomic { F.up && !F.stopped && FAULT(KILL); flush_gone() }
	:: atomic { AWAKE && FAULT(STOP); end_mark(); F.stopped = true }

	/* the supervisor */
	:: atomic { !F.up && !C.up -> F.up = true; C.up = true }
	od
}

/* -- time, and the end ------------------------------------------------------ */

#define KEEPS(w, c) \
	(cons[w].up && !cons[w].stopped && cons[w].me != NONE && \
	 redis[c].owner == cons[w].me && \
	 (c == cons[w].me || c == cons[w].orphan))
#define KEPT(c)	(KEEPS(0, c) || KEEPS(1, c))
#define RUNS_OUT(c) (!NOBODY(c) && (!KEPT(c) || \
			 faults > 0 && kinds & PAUSE))
#define PAUSES	(faults > 0 && kinds & PAUSE)
#define FADES(c) (redis[c].registered && redis[c].mark == FRESH && PAUSES)
/* Is a mark of it still to come? */
#define BEHIND(w, c)	(cons[w].up && cons[w].me == c && fl[w].up && \
			 !fl[w].stopped)
#define AGES(c)	(redis[c].registered && redis[c].mark == NEVER && \
		 (HAS_BATCHES(c) && PAUSES || !BEHIND(0, c) && !BEHIND(1, c)))

active proctype clock()
{
	byte c, w;

end:	do
	:: atomic { ANY_ID(RUNS_OUT) -> /* whose owner key? */
		if
		EACH_ID(RUNS_OUT, c)
		fi;
		if
		:: KEPT(c) -> faults--
		:: else
		fi;
		redis[c].owner = NONE;
		c = 0 }
	:: atomic { ANY_ID(FADES) -> /* whose flush mark? */
		if
		EACH_ID(FADES, c)
		fi;
		faults--;
		redis[c].mark = STALE;
		c = 0 }
	:: atomic { ANY_ID(AGES) ->
		if
		EACH_ID(AGES, c)
		fi;
		if
		:: BEHIND(0, c) || BEHIND(1, c) -> faults--
		:: else
		fi;
		redis[c].mark = OLD;
		c = 0 }
	/* lib/flush/ledger_gc.c.  Nothing stays in the network for that long; who
	 * was paused may have lines in its pipe. */
	:: atomic { !passed && empty(late) && FAULT(MONTH);
		passed = true;
		c = 0;
		do
		:: c < IDS ->
			if
			/* ACKNOWLEDGER_ASK: registered? */
			:: RULE(LEDGER_GC_ASK) && redis[c].registered
			:: else -> row[c] = 0
			fi;
			c++
		:: else -> break
		od;
		c = 0;
		w = 0;
		do
		:: w < workers ->
			F.old = F.open;
			F.paused = len(pipe[w]) > 0 || F.pending;
			w++
		:: else -> break
		od;
		w = 0 }
	od
}

/* Redis dies and comes back as it was at some time before.  incr-consume
 * sees another run_id (begin_call) and goes on under a new id. */

active proctype operator()
{
	byte c, s, w;

end:	atomic { kinds & RESTORE ->
		copy_consumers(IDS, 0);
		copy_ready = ready };
end2:	atomic { FAULT(RESTORE);
		copy_consumers(0, IDS);
		ready = copy_ready;
		do	/* no connection outlives it */
		:: nempty(late) -> late ? _, _, _, _, _, _
		:: empty(late) -> break
		od;
		do
		:: c < IDS -> redis[c].owner = NONE; c++
		:: else -> break
		od;
		c = 0;
		restored = true;
		do
		:: RULE(RUN) && w < workers -> lose_name(); w++
		:: else -> break
		od;
		w = 0
	}
}

/* What is under way to the old primary is lost with it. */
active proctype redis_failover()
{
	byte c, s, w;

end:	do
	:: atomic { !failed_over && FAULT(FAILOVER); replicate_redis() }
	:: atomic { kinds & FAILOVER && !failed_over ->
		failed_over = true;
		copy_consumers(0, IDS);
		ready = copy_ready;
		rejected[0] = copy_rejected[0];
		rejected[1] = copy_rejected[1];
		do
		:: nempty(late) -> late ? _, _, _, _, _, _
		:: empty(late) -> break
		od;
		do
		:: c < IDS -> redis[c].owner = NONE; c++
		:: else -> break
		od;
		c = 0;
		do
		:: w < workers -> lose_name(); w++
		:: else -> break
		od;
		w = 0 }
	od
}

/* The primary is gone for good; the standby has what was replicated. */
active proctype failover()
{
	byte i;

end:	atomic { kinds & STANDBY -> skip };
end2:	atomic { !promoted ->
		promoted = true;
		i = 0;
		do
		:: i < IDS -> row[i] = standby_row[i]; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < PAYLOADS -> counted[i] = standby_counted[i]; i++
		:: else -> break
		od;
		i = 0 }
}

#ifdef BACKWARDS
/* Postgres is as it was when it was copied: nothing that was sent to the one
 * before is done there. */
active proctype backup()
{
	byte i, a, b, c, m1, m2;

end:	atomic { kinds & BACK ->
		do
		:: i < IDS -> was_row[i] = row[i]; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < PAYLOADS -> was_counted[i] = counted[i]; i++
		:: else -> break
		od;
		i = 0 };
end2:	atomic { FAULT(BACK);
		went_back = true;
		do
		:: i < IDS -> row[i] = was_row[i]; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < PAYLOADS -> counted[i] = was_counted[i]; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < IDS ->
			redis[i].sure =
			    redis[i].sure & ((2 << row[i]) - 1);
			i++
		:: else -> break
		od;
		i = 0;
		do
		:: late ?? [APPLY, a, b, c, m1, m2] ->
			late ?? APPLY, a, b, c, m1, m2
		:: else -> break
		od;
		a = 0;
		do	/* what was read on another connection is not known */
		:: RULE(ROW_AGAIN) && a < workers ->
			fl[a].kc = NONE; fl[a].krow = 0; fl[a].klast = 0;
			a++
		:: else -> break
		od;
		a = 0; b = 0; c = 0; m1 = 0; m2 = 0 }
}

/* trim.lua: only the list of a batch that is kept goes. */
#define MAY_GO(c, s)	(redis[c].kept[s] != 0 || \
			 !RULE(KEPT_ONLY) && redis[c].again & 1 << s)
#define GIVES_WAY(c)	(MAY_GO(c, 1) || MAY_GO(c, SEQS - 1))

active proctype memory()
{
	byte c, s;

end:	do
	:: atomic { ANY_ID(GIVES_WAY) && FAULT(GIVE);
		if
		EACH_ID(GIVES_WAY, c)
		fi;
		if
		:: MAY_GO(c, 1) -> s = 1
		:: MAY_GO(c, SEQS - 1) -> s = SEQS - 1
		fi;
		if
		:: redis[c].kept[s] != 0 ->
			redis[c].gave[s] = redis[c].kept[s];
			redis[c].kept[s] = 0
		:: else -> redis[c].batch[s] = 0
		fi;
		c = 0; s = 0 }
	od
}

#define MAY_MISS(i)	(went_back && (keeps != 1 && lost & 1 << i || \
			 gave_told & 1 << i))
#else
#define MAY_MISS(i)	false
#endif

/* A pipe of which no half stands still. */
#define WHOLE(w)	(!cons[w].stopped && !fl[w].stopped)

active proctype monitor()
{
	byte i, s;
	bool lives;

	timeout;
	if
	:: WHOLE(0) || workers > 1 && WHOLE(1)
	:: else -> goto done
	fi;
	i = 0;
	do
	:: i < PAYLOADS ->
		assert(counted[i] == 1 || MAY_MISS(i));
		assert(rejected[i] == 1 || restored && rejected[i] > 0);
		i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < IDS ->
		assert(!HAS_BATCHES(i));
		lives = cons[0].me == i && !cons[0].stopped ||
		    workers > 1 && cons[1].me == i && !cons[1].stopped;
		assert(redis[i].registered == (lives || HAS_KEPT(i)));
		assert(lives && redis[i].owner == i || !lives && NOBODY(i));
		i++
	:: else -> break
	od;
done:	skip
}

init {
	byte w, s;

	atomic {
		c_code {
			now.faults = (uchar)number("FAULTS", 1);
			now.workers = (uchar)number("WORKERS", 2);
			now.kinds = (short)number("KINDS", 31);
			broken = (uchar)number("BROKEN", 0);
#ifdef BACKWARDS
			keeps = (uchar)number("KEEPS", 1);
#endif
		};
		do
		:: s < IDS -> redis[s].owner = NONE; s++
		:: else -> break
		od;
		s = 0;
		do
		:: w < workers ->
			F.up = true;
			F.self = NONE; F.rc = NONE; F.kc = NONE; F.wc = NONE;
#ifdef BACKWARDS
			F.gc = NONE;
#endif
			C.up = true;
			C.me = NONE;
			C.orphan = NONE;
			run incr_consume(w);
			run incr_flush(w);
			w++
		:: else -> break
		od
	}
}
