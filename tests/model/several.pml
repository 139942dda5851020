/*
 * One statement for several adopted consumers (lib/flush/adopter.c,
 * lib/postgres/apply_many.c): two consumers are gone, one leaves two batches and
 * one leaves one; two adopters have both consumers, since the ownership of one ran out while it was
 * paused; and the incr-flush of the first consumer was paused as well, with a
 * window of its own that it still sends.  Kinds of faults:
 *
 *	KILL	an adopter ends between any two steps and begins anew
 *	LOST	a statement is done, its answer lost: it is repeated
 *	LATE	a statement is done at any time after its connection was lost
 *	STANDBY	Postgres has a synchronous standby, as in drain.pml
 *
 * A row may be locked by another session when a statement comes to it: it is
 * skipped then (any row, at any time).
 *
 * What is checked, in every interleaving: no batch is added to the table twice
 * (assert in add), and where nothing can happen any more each is there and no
 * batch list is left.
 *
 * Run by tests/model/check: FAULTS, KINDS and BROKEN come from the
 * environment.
 */
#define ADOPTERS	2
#define CONSUMERS	2
#define BATCHES		2		/* of consumer 0; 1 has one */
#define LATER		1		/* statements under way at most */

/* Kinds of faults. */
#define KILL	1
#define LOST	2
#define LATE	4
#define STANDBY	8

/* Rules, each left out once. */
#define EACH_ROW	1	/* a row moves only if it stands at first - 1 */
#define GROUPED		2	/* sums of those whose row moved, no others */
#define READ_FIRST	3	/* of what did not move the row is read */
#define ROW_WRITTEN	4	/* by a write */
#define TRIM		5
#define WARNING		6

c_decl {
static long
number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtol(text, NULL, 10);
}
}

typedef batches {
	byte at[BATCHES + 1];
}
batches waits[CONSUMERS];	/* Redis: 1 if the list is there */
batches counted[CONSUMERS];	/* Postgres */
byte row[CONSUMERS];
batches standby_counted[CONSUMERS];
byte standby_row[CONSUMERS];
bool promoted;

byte faults;
byte kinds;
hidden byte broken;
#define RULE(r)	(broken != r)
#define FAULT(kind)	(faults > 0 && kinds & kind) -> faults--

/* For each consumer first (0: not in the statement) and last. */
chan late = [LATER] of { byte, byte, byte, byte };

inline replicate() {
	c = 0;
	do
	:: c < CONSUMERS ->
		standby_row[c] = row[c];
		standby_counted[c].at[1] = counted[c].at[1];
		standby_counted[c].at[2] = counted[c].at[2];
		c++
	:: else -> break
	od;
	c = 0
}

inline add(who, lo, hi) {
	b = lo;
	do
	:: b <= hi ->
		assert(counted[who].at[b] == 0);
		counted[who].at[b] = 1;
		b++
	:: else -> break
	od;
	b = 0
}

/* A row that is not locked moves, if it may. */
inline move_row(who, lo, hi) {
	if
	:: lo == 0
	:: lo != 0 && row[who] == lo - 1 -> row[who] = hi; moved = moved | 1 << who
	:: lo != 0 && (row[who] != lo - 1 || kinds & LATE) /* or skipped */
	:: lo != 0 && !RULE(EACH_ROW) && row[who] != lo - 1 && moved != 0 ->
		row[who] = hi;
		moved = moved | 1 << who
	fi
}

/* apply_many: one transaction */
inline apply(lo0, hi0, lo1, hi1) {
	moved = 0;
	move_row(0, lo0, hi0);
	move_row(1, lo1, hi1);
	if
	:: lo0 != 0 && (moved & 1 || !RULE(GROUPED) && moved != 0) ->
		add(0, lo0, hi0)
	:: else
	fi;
	if
	:: lo1 != 0 && (moved & 2 || !RULE(GROUPED) && moved != 0) ->
		add(1, lo1, hi1)
	:: else
	fi
}

inline replicate_move() {
	if
	:: moved != 0 -> replicate()
	:: else
	fi
}

active proctype network()
{
	byte lo0, hi0, lo1, hi1, moved, b, c;

end:	do
	:: atomic { nempty(late) ->
		late ? lo0, hi0, lo1, hi1;
		apply(lo0, hi0, lo1, hi1);
		replicate_move();
		lo0 = 0; hi0 = 0; lo1 = 0; hi1 = 0; moved = 0 }
	od
}

/* The incr-flush of consumer 0, which was paused with a window. */
active proctype owner()
{
	byte hi, moved, b, c;

	if
	:: hi = 1
	:: hi = 2
	fi;
	atomic {
		apply(1, hi, 0, 0);
		replicate_move();
		if
		:: moved != 0 -> moved = 1
		:: else -> moved = 0; hi = 0
		fi
	}
	if
	:: atomic { moved != 0 -> waits[0].at[1] = 0; moved = 0 }
	:: atomic { moved != 0 && hi == 2 -> waits[0].at[1] = 0;
		waits[0].at[2] = 0; moved = 0 }
	:: skip		/* kill -9: nothing is acknowledged */
	fi
}

typedef range {
	byte first, last;	/* 0: none */
	byte from;		/* from to first - 1 were there before */
	bool known;		/* its row was read since */
	bool done;		/* in the table: to be acknowledged */
}
typedef ranges {
	range at[CONSUMERS];
}
ranges held[ADOPTERS];

#define R	held[me].at[c]
#define IS_DUE(x)	(held[me].at[x].first != 0 && held[me].at[x].known && \
			 !held[me].at[x].done)

inline drop_range(x) {
	held[me].at[x].first = 0; held[me].at[x].last = 0;
	held[me].at[x].from = 0;
	held[me].at[x].known = false; held[me].at[x].done = false
}

/* What the answer says of one. */
inline answer(x) {
	if
	:: asked & 1 << x && (moved & 1 << x || !RULE(READ_FIRST)) ->
		held[me].at[x].done = true
	:: asked & 1 << x && !(moved & 1 << x) && RULE(READ_FIRST) ->
		held[me].at[x].known = false
	:: else
	fi
}

proctype adopter(byte me)
{
	byte c, b, moved, asked, f0, l0, f1, l1;

end:	do
	/* the batches of a consumer, the oldest first, all or the first */
	:: atomic { held[me].at[0].first == 0 &&
	   (waits[0].at[1] || waits[0].at[2]) -> c = 0; goto take }
	:: atomic { held[me].at[1].first == 0 &&
	   (waits[1].at[1] || waits[1].at[2]) -> c = 1; goto take }

	/* the row of a range is read, if it is not locked */
	:: atomic { held[me].at[0].first != 0 && !held[me].at[0].known ->
		c = 0; goto look }
	:: atomic { held[me].at[1].first != 0 && !held[me].at[1].known ->
		c = 1; goto look }

	/* the statement, for all that are due */
	:: atomic { IS_DUE(0) || IS_DUE(1) ->
		if
		:: IS_DUE(0) ->
			asked = 1; f0 = held[me].at[0].first;
			l0 = held[me].at[0].last
		:: else
		fi;
		if
		:: IS_DUE(1) ->
			asked = asked | 2; f1 = held[me].at[1].first;
			l1 = held[me].at[1].last
		:: else
		fi;
		if
		:: apply(f0, l0, f1, l1);
		   replicate_move();
		   answer(0);
		   answer(1)
		:: FAULT(LOST);
		   apply(f0, l0, f1, l1);
		   replicate_move()
		:: !promoted && FAULT(STANDBY);
		   apply(f0, l0, f1, l1);
		   if
		   :: !RULE(WARNING) -> answer(0); answer(1)
		   :: else
		   fi
		:: nfull(late) && FAULT(LATE);
		   late ! f0, l0, f1, l1
		fi;
		moved = 0; asked = 0; f0 = 0; l0 = 0; f1 = 0; l1 = 0 }

	/* acknowledge.lua */
	:: atomic { held[me].at[0].done -> c = 0; goto acknowledge }
	:: atomic { held[me].at[1].done -> c = 1; goto acknowledge }

	:: atomic { FAULT(KILL); drop_range(0); drop_range(1) }
	od;

take:	atomic {
		R.first = (waits[c].at[1] -> 1 : 2);
		R.from = R.first;
		R.last = R.first;
		if
		:: waits[c].at[2] -> R.last = 2
		:: true
		fi;
		c = 0;
		goto end
	};
look:	atomic {
		if
		:: RULE(ROW_WRITTEN) && row[c] != 0 ->
			asked = c;
			replicate();
			c = asked;
			asked = 0
		:: else
		fi;
		if
		:: row[c] >= R.last -> R.done = true
		:: row[c] < R.last && row[c] >= R.first && RULE(TRIM) ->
			R.first = row[c] + 1
		:: row[c] < R.last && row[c] >= R.first && !RULE(TRIM) ->
			row[c] = R.first - 1 /* as if it had not been counted */
		:: else
		fi;
		R.known = true;
		c = 0;
		goto end
	};
acknowledge: atomic {
		b = R.from;
		do
		:: b <= R.last -> waits[c].at[b] = 0; b++
		:: else -> break
		od;
		b = 0;
		drop_range(c);
		c = 0;
		goto end
	}
}

active proctype failover()
{
	byte c;

end:	atomic { kinds & STANDBY -> skip };
end2:	atomic { !promoted ->
		promoted = true;
		do
		:: c < CONSUMERS ->
			row[c] = standby_row[c];
			counted[c].at[1] = standby_counted[c].at[1];
			counted[c].at[2] = standby_counted[c].at[2];
			c++
		:: else -> break
		od;
		c = 0 }
}

active proctype monitor()
{
	byte c;

	timeout;
	do
	:: c < CONSUMERS ->
		assert(counted[c].at[1] == 1);
		assert(c == 1 || counted[c].at[2] == 1);
		assert(waits[c].at[1] == 0 && waits[c].at[2] == 0);
		c++
	:: else -> break
	od
}

init {
	byte c;

	atomic {
		c_code {
			now.faults = (uchar)number("FAULTS", 1);
			now.kinds = (uchar)number("KINDS", 15);
			broken = (uchar)number("BROKEN", 0);
		};
		do
		:: c < CONSUMERS ->
			waits[c].at[1] = 1;
			c++
		:: else -> break
		od;
		c = 0;
		waits[0].at[2] = 1;
		run adopter(0);
		run adopter(1)
	}
}
