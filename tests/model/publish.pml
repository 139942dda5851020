/*
 * From a line to the ready list: publish.lua and lib/publish/publisher.c, with
 * two batches of a tagged line each and FAULTS faults: answers lost, calls done
 * late, waits that end, time that passes, records that run out, after a day or
 * by a clock that was set, a Redis without room, a proxy that hands a call on
 * and then answers an error of its own, a copy of the process (a cloned VM)
 * that goes on under the same id, a tag that was used for another increment, a
 * failover to a replica that lacks the last batch, which was counted before.
 * A client that was answered unknown repeats its line, within the window, at
 * another publisher, and that may be done late, too.  A process that is killed
 * is one that gives up and answers nothing.  Checked: no batch is pushed
 * twice, one that was answered 202 is there, one that was answered 503 or 422
 * never is.  BROKEN leaves out a rule, as in drain.pml.
 *
 * With REPLICAS=1 the failover is to a replica that has what the primary had
 * when it last confirmed (WAIT), and nothing later; what is not confirmed is
 * not counted, either (drain.pml).
 *
 * With UPGRADE=1 there are calls of a release that has marks of another kind,
 * until OVERLAP: the first one of a batch's line, of a publisher that is gone
 * since, and the client's repeats.  Its marks live as long.  Until BOTH this
 * release makes and finds those, too.  What the marks of several tags share,
 * a life as long as the longest one, is left out: it only lengthens.
 *
 * With TRANSACTION=1 lines have no tags, so nobody repeats them, and each
 * sending may be one of publish.lua or a transaction: admit.lua, the push, the
 * list's name given back.  Any command of a transaction may fail, and those
 * behind it are done.
 */
#define BATCHES	2
#define IDS	9
#define OTHER	(BATCHES + 1)	/* a batch of somebody else */
#define SEQ_NEXT	1
#define NEW_ID		2
#define KEY		3
#define MAYBE_UNKNOWN	4
#define TURN_AWAY	5
#define ONCE_PER_ID	6
#define FIRST		7
#define NAME		8
#define PAST_UNKNOWN	9
#define PROOF		10
#define NOT_AFTER	11
#define MARK_LIFE	12
#define RECORD		13
#define LATE_ELSEWHERE	14
#define WAIT		15
#define DONE_WRITES	16
#define MARK_BOTH	17
#define FIND_BOTH	18
#define BOTH_LIFE	19
#define NOT_RUN		20
#define SAID_NO		21
#define TRIED		22
#define ANSWERED	23

c_decl {
static long
number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtol(text, NULL, 10);
}
}

mtype = { TAKEN, UNAVAILABLE, UNKNOWN, REUSED };
/* What a reply says: 1 or 2 with the batch's name, 0, 2 with another name at
 * this number, or at a later one, 5; its line was refused; 3, an error, with a
 * transaction. */
mtype = { DONE, GAP, ELSE, PAST, LATE, REFUSED, FULL, ERROR };

hidden byte broken;
hidden byte replicas;	/* 1: there are */
hidden byte upgrade;	/* 1: from a release with marks of another kind */
hidden byte transaction;	/* 1: there are, and no tags */
#define RULE(r)	(broken != r)
#define FAULT	faults > 0 -> faults--

byte faults;
byte last[IDS];			/* publisher::ID plus 1; 0: no key */
byte name[IDS];			/* of the batch that it is; 0: none yet */
bool refused[IDS];		/* its line was */
byte time;
byte redis;			/* which: another after a failover */
byte mark[BATCHES];		/* time plus 1 of the tag's; 0: none */
byte other[BATCHES];		/* the same, with another increment */
byte seen[BATCHES];		/* the same, of the release before */
byte pushed[BATCHES];
bool gone[BATCHES];		/* from Redis, by a failover */
byte came[BATCHES];		/* the time at which the client sent it first */
mtype answer[BATCHES];
bool maybe;			/* it was sent, whole: BATCH_UNCONFIRMED */
byte id;			/* of the publisher */
bool wrote;			/* the call that is answered did */
/* What the replica has. */
byte had_last[IDS], had_name[IDS];
bool had_refused[IDS];
byte had_mark[BATCHES], had_other[BATCHES], had_pushed[BATCHES];
byte id_redis;			/* the only one at which id has first sendings */
byte told;			/* the time, by the last reply of this Redis */
bool open;			/* the ready list has its other name */
bool anew;			/* meanwhile somebody made another one */
chan late = [4] of { byte, byte, byte, byte };

/* The idempotency window is WINDOW long, a sending at most LATEST late, and a
 * mark lives as long as both. */
#define WINDOW		1
#define LATEST		1
#define LIFE		(WINDOW + LATEST * (RULE(MARK_LIFE)))
#define LIVES(m)	(m > 0 && time + 1 <= m + LIFE)
#define OVERLAP		1
#define BOTH		(OVERLAP + LIFE * (RULE(BOTH_LIFE)))
#define IS_BOTH		(upgrade && time <= BOTH)
#define NEVER		9	/* sent to a Redis that has not told the time */
#define IN_TIME(sent)	(sent != NEVER && time <= sent + LATEST || \
			    !RULE(NOT_AFTER))

#define COPY(to, from, n) \
	k = 0; \
	do \
	:: k < n -> to[k] = from[k]; k++ \
	:: else -> k = 0; break \
	od

inline replicate() {
	COPY(had_last, last, IDS);
	COPY(had_name, name, IDS);
	COPY(had_refused, refused, IDS);
	COPY(had_mark, mark, BATCHES);
	COPY(had_other, other, BATCHES);
	COPY(had_pushed, pushed, BATCHES)
}

/* WAIT is about what its connection wrote before. */
inline confirm() {
	if
	:: replicas && RULE(WAIT) && wrote -> replicate()
	:: else
	fi
}

/* introduce.lua: seq 0 */
inline introduce(i) {
	known = last[i] != 0;
	if
	:: !known -> last[i] = 1; name[i] = 0; refused[i] = false
	:: else
	fi
}

inline push(b) {
	if
	:: LIVES(mark[b]) -> mark[b] = time + 1
	:: !LIVES(mark[b]) && LIVES(other[b]) -> says = REFUSED
	:: !LIVES(mark[b]) && !LIVES(other[b]) && IS_BOTH && LIVES(seen[b]) &&
	   RULE(FIND_BOTH) -> mark[b] = time + 1
	:: else ->
		pushed[b]++;
		assert(pushed[b] == 1);
		assert(answer[b] != UNAVAILABLE && answer[b] != REUSED);
		mark[b] = time + 1
	fi;
	if
	:: IS_BOTH && LIVES(mark[b]) && RULE(MARK_BOTH) -> seen[b] = time + 1
	:: else
	fi
}

/* The same by the release before. */
inline push_before(b) {
	if
	:: LIVES(seen[b])
	:: else ->
		pushed[b]++;
		assert(pushed[b] == 1);
		assert(answer[b] != UNAVAILABLE && answer[b] != REUSED)
	fi;
	seen[b] = time + 1
}

/* Lines without tags. */
inline push_plain(b) {
	pushed[b]++;
	assert(pushed[b] == 1);
	assert(answer[b] != UNAVAILABLE)
}

/* publish.lua and admit.lua: seq <= last is answered by the record, then comes
 * the time, then seq > last + 1 is a gap, and so is what has no record of the
 * publisher.  Else the number is moved, and the line is to be pushed. */
inline admit(i, nr, b, sent) {
	says = DONE;
	wrote = true;
	if
	:: last[i] == 0 && (RULE(KEY) || nr > 1) -> says = GAP
	:: last[i] > nr + 1 && RULE(SEQ_NEXT) -> says = PAST
	:: last[i] == nr + 1 && RULE(SEQ_NEXT) ->
		if
		:: name[i] != b + 1 -> says = ELSE
		:: name[i] == b + 1 && refused[i] &&
		   (RULE(RECORD) || LIVES(other[b])) -> says = REFUSED
		:: else -> wrote = RULE(DONE_WRITES)
		fi
	:: else ->
		if
		:: !IN_TIME(sent) -> says = LATE
		:: IN_TIME(sent) && nr > last[i] && last[i] > 0 -> says = GAP
		:: else ->
			if
			:: admitted = true;
			   last[i] = nr + 1;
			   name[i] = b + 1;
			   refused[i] = false
			:: transaction && FAULT; says = FULL
			fi
		fi
	fi
}

inline publish_script(i, nr, b, sent) {
	admit(i, nr, b, sent);
	if
	:: admitted && transaction -> push_plain(b)
	:: admitted && !transaction ->
		push(b);
		refused[i] = says == REFUSED
	:: else
	fi;
	admitted = false
}

/* EXEC: one step, but each command may fail alone.  The push does nothing
 * unless admit.lua has made what it pushes to; and that tries whatever else
 * might keep the push from being done. */
inline exec(i, nr, b, sent) {
	if
	:: admit(i, nr, b, sent);
		if
		:: admitted || !RULE(SAID_NO) -> push_plain(b)
		:: else
		fi
	/* Redis has forgotten the script, or it may not be called. */
	:: FAULT; says = ERROR;
		if
		:: !RULE(NOT_RUN) -> push_plain(b)
		:: else
		fi
	/* The ready list is none, or may not be pushed to. */
	:: FAULT; says = ERROR;
		if
		:: !RULE(TRIED) -> admit(i, nr, b, sent)
		:: else
		fi
	fi;
	admitted = false
}

inline publish(i, nr, b, sent) {
	if
	:: publish_script(i, nr, b, sent)
	:: transaction -> exec(i, nr, b, sent)
	fi
}

active proctype network()
{
	byte i, n, b, t;
	bool known, admitted;
	mtype says;

end:	do
	:: atomic { late ?? i, n, b, t ->
		if
		:: n == 0 -> introduce(i)
		:: else -> publish(i, n, b, t)
		fi;
		i = 0; n = 0; b = 0; t = 0; known = false; says = 0 }
	od
}

/* The record and the marks of the last batch of the publisher are gone, and so
 * is what is under way to the old primary. */
inline fail_over() {
	redis++; told = NEVER;
	do
	:: late ?? i, _, _, _
	:: empty(late) -> break
	od;
	if
	:: replicas ->
		COPY(last, had_last, IDS);
		COPY(name, had_name, IDS);
		COPY(refused, had_refused, IDS);
		COPY(mark, had_mark, BATCHES);
		COPY(other, had_other, BATCHES);
		COPY(pushed, had_pushed, BATCHES)
	:: !replicas && last[id] > 1 && name[id] > 0 && name[id] <= BATCHES ->
		i = name[id] - 1;
		mark[i] = 0; gone[i] = true;
		last[id]--; name[id]--; refused[id] = false
	:: !replicas
	fi;
	i = 0
}

active proctype clock()
{
	byte i, k;

end:	do
	/* A day, or a clock that was set. */
	:: atomic { FAULT;
		do
		:: i < IDS -> last[i] = 0; i++
		:: else -> break
		od;
		i = 0 }
	/* The longest that a call may be late; three times are enough. */
	:: atomic { time < 3 && FAULT; time++ }
	/* A copy of the publisher. */
	:: atomic { last[id] > 0 && redis == id_redis && FAULT;
		last[id] = last[id] + 1; name[id] = OTHER; refused[id] = false }
	:: atomic { !transaction && !LIVES(mark[0]) && other[0] == 0 && FAULT;
		other[0] = time + 1 }
	/* Another program pushes. */
	:: atomic { open && !anew; anew = true }
	:: atomic { redis == 0 && FAULT; fail_over() }
	/* The replica has more than was confirmed. */
	:: atomic { replicas && redis == 0 && FAULT; replicate() }
	od
}

/* Repeats within the window what was answered unknown; a failover that loses
 * the mark ends that. */
#define REPEATS(b)	(answer[b] == UNKNOWN && !gone[b] && \
			    time <= came[b] + WINDOW)

active proctype client()
{
	byte b, sent = NEVER;
	mtype says;

end:	do
	:: atomic { b < BATCHES && sent == NEVER && REPEATS(b) &&
		!transaction -> sent = time }
	:: atomic { sent != NEVER && !gone[b] && IN_TIME(sent) ->
		push(b); says = 0; sent = NEVER; b++ }
	:: atomic { sent != NEVER && (gone[b] || !IN_TIME(sent)) ->
		sent = NEVER; b++ }
	:: b < BATCHES && answer[b] != 0 && answer[b] != UNKNOWN -> b++
	/* A server of the release before; the client asks again. */
	:: atomic { upgrade && time <= OVERLAP && b < BATCHES &&
		sent == NEVER && REPEATS(b) && FAULT; push_before(b) }
	od
}

/* The client's first try, at a publisher of the release before that is gone:
 * its call comes late, after the second one, at this release, was answered. */
active proctype publisher_before()
{
end:	do
	:: atomic { upgrade && time <= OVERLAP && !gone[0] &&
		(answer[0] == UNKNOWN || answer[0] == TAKEN) && FAULT;
		push_before(0) }
	od
}

inline new_id() {
	id++; seq = 0; introduced = false; id_redis = redis
}

inline lost_greeting() {
	if
	:: RULE(ONCE_PER_ID) -> new_id()
	:: else
	fi
}

inline settle(what) {
	answer[b] = what;
	next()
}

inline next() {
	b++; maybe = false;
	if
	:: b < BATCHES -> came[b] = time
	:: else
	fi
}

inline replied() {
	if
	:: says != ERROR -> told = time
	:: else
	fi;
	if
	:: says == FULL || says == ERROR
	:: says == DONE -> confirm(); seq++; settle(TAKEN)
	:: says == REFUSED -> seq++; settle(REUSED)
	/* What is not in this Redis may have been counted from another. */
	:: says == LATE && maybe && redis != id_redis && RULE(LATE_ELSEWHERE) ->
		settle(UNKNOWN); new_id()
	:: says == LATE && !(maybe && redis != id_redis && RULE(LATE_ELSEWHERE))
		/* sent again, with the time that was told */
	:: says == GAP && maybe -> settle(UNKNOWN); new_id()
	:: says == GAP && !maybe -> new_id()
	/* A name tells whose batch it is; at its own number, that the batch
	 * in hand is not there and can't come. */
	:: says == ELSE && (RULE(NAME) || !maybe && RULE(FIRST)) ->
		new_id(); maybe = false
	:: says == PAST && !maybe && RULE(FIRST) -> new_id()
	:: says == PAST && maybe && RULE(PAST_UNKNOWN) ->
		settle(UNKNOWN); new_id()
	:: else -> seq++; settle(TAKEN)
	fi
}

active proctype publisher()
{
	byte seq, b, k;
	bool known, introduced, admitted;
	mtype says;

	atomic { c_code {
		now.faults = (uchar)number("FAULTS", 1);
		broken = (uchar)number("BROKEN", 0);
		replicas = number("REPLICAS", 0) != 0;
		upgrade = number("UPGRADE", 0) != 0;
		transaction = number("TRANSACTION", 0) != 0;
	} };
	do
	/* Another Redis may not know how far this id is. */
	:: atomic { b < BATCHES && !maybe && redis != id_redis -> new_id() }
	:: atomic { b < BATCHES && !introduced && !maybe && redis == id_redis ->
		if
		:: introduce(id); told = time;
		   if
		   :: known && RULE(ONCE_PER_ID) -> new_id()
		   :: else -> introduced = true
		   fi
		:: FAULT; introduce(id); lost_greeting()
		:: FAULT; late ! id, 0, 0, 0; lost_greeting()
		fi;
		known = false }
	:: atomic { b < BATCHES && (introduced && redis == id_redis || maybe) ->
		if
		:: publish(id, seq + 1, b, told); replied()
		:: FAULT; publish(id, seq + 1, b, told); /* lost, sent */
		   maybe = true
		:: FAULT; late ! id, seq + 1, b, told; maybe = true
		/* An error that may be a proxy's proves nothing. */
		:: FAULT; publish(id, seq + 1, b, told);
		   maybe = maybe || RULE(PROOF)
		fi;
		says = 0;
		assert(id < IDS) }
	/* MULTI is refused, and what comes behind it done command by command:
	 * it must be sent only once MULTI was answered. */
	:: atomic { transaction && !RULE(ANSWERED) && b < BATCHES &&
		introduced && redis == id_redis && FAULT;
		admit(id, seq + 1, b, told); open = admitted; admitted = false }
		if
		:: atomic { open && !anew -> open = false; push_plain(b); replied() }
		:: atomic { open && anew -> open = false; replied() }
		:: atomic { !open -> replied() }
		fi;
		says = 0
	/* no room: this sending did nothing, and no seq is used */
	:: atomic { b < BATCHES && (!maybe || !RULE(TURN_AWAY)) && FAULT;
		answer[b] = UNAVAILABLE;
		assert(pushed[b] == 0);
		next() }
	/* give_up */
	:: atomic { b < BATCHES && FAULT;
		answer[b] = (maybe && RULE(MAYBE_UNKNOWN) ->
		    UNKNOWN : UNAVAILABLE);
		assert(answer[b] != UNAVAILABLE || pushed[b] == 0);
		if
		:: maybe && RULE(NEW_ID) -> new_id()
		:: else
		fi;
		next() }
	:: b == BATCHES -> break
	od;
	b = 0;
	do
	:: b < BATCHES -> assert(answer[b] != TAKEN || pushed[b] == 1); b++
	:: else -> break
	od
}
