/*
 * From a line to the ready list: publish.lua and lib/publish/publisher.c, with two
 * batches and FAULTS faults: answers lost, calls done late, waits that end,
 * records that run out, after a day or by a clock that was set, a Redis
 * without room.  A process that is killed is one that gives up and
 * answers nothing.  Checked: no batch is pushed twice, one that was answered
 * 202 is there, one that was answered 503 never is.  BROKEN leaves out a
 * rule, as in drain.pml.
 */
#define BATCHES	2
#define IDS	8
#define SEQ_NEXT	1
#define NEW_ID		2
#define KEY		3
#define MAYBE_UNKNOWN	4
#define TURN_AWAY	5
#define ONCE_PER_ID	6

c_decl {
static long
number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtol(text, NULL, 10);
}
}

mtype = { NO_ANSWER, TAKEN, UNAVAILABLE, UNKNOWN };

hidden byte broken;
#define RULE(r)	(broken != r)
#define FAULT	faults > 0 -> faults--

byte faults;
byte last[IDS];			/* publisher::ID plus 1; 0: no key */
byte pushed[BATCHES];
mtype answer[BATCHES];
bool maybe;			/* FLIGHT_MAYBE: it was sent, whole */
chan late = [4] of { byte, byte, byte };

/* introduce.lua: seq 0 */
inline introduce(id) {
	if
	:: last[id] == 0 -> last[id] = 1
	:: else
	fi
}

/* publish.lua: seq > last + 1 is a gap, and so is what has no record of the
 * publisher; seq <= last was done before */
inline publish(id, nr, batch) {
	gap = nr > last[id] || last[id] == 0 && RULE(KEY);
	if
	:: last[id] == 0 && nr == 1 && !RULE(KEY) -> gap = false
	:: else
	fi;
	if
	:: !gap && (nr == last[id] || last[id] == 0 || !RULE(SEQ_NEXT)) ->
		last[id] = nr + 1;
		pushed[batch]++;
		assert(pushed[batch] == 1);
		assert(answer[batch] != UNAVAILABLE)
	:: else
	fi
}

active proctype network()
{
	byte i, n, b;
	bool gap;

end:	do
	:: atomic { late ?? i, n, b ->
		if
		:: n == 0 -> introduce(i)
		:: else -> publish(i, n, b)
		fi;
		i = 0; n = 0; b = 0; gap = false }
	od
}

active proctype clock()
{
	byte i;

end:	atomic { FAULT;
		do
		:: i < IDS -> last[i] = 0; i++
		:: else -> break
		od }
}

inline new_id() {
	id++; seq = 0; introduced = false
}

inline lost_greeting() {
	if
	:: RULE(ONCE_PER_ID) -> new_id()
	:: else
	fi
}

active proctype courier()
{
	byte id, seq, b;
	bool gap, introduced;

	atomic { c_code {
		now.faults = (uchar)number("FAULTS", 1);
		broken = (uchar)number("BROKEN", 0);
	} };
	do
	:: atomic { b < BATCHES && !introduced && !maybe ->
		if
		:: introduce(id); introduced = true
		:: FAULT; introduce(id); lost_greeting()
		:: FAULT; late ! id, 0, 0; lost_greeting()
		fi }
	:: atomic { b < BATCHES && (introduced || maybe) ->
		if
		:: publish(id, seq + 1, b);	/* replied */
		   if
		   :: !gap -> answer[b] = TAKEN; seq++; b++; maybe = false
		   :: gap && maybe -> answer[b] = UNKNOWN; new_id();
			b++; maybe = false
		   :: gap && !maybe -> new_id()
		   fi
		:: FAULT; publish(id, seq + 1, b); /* QUEUE_LOST, sent */
		   maybe = true
		:: FAULT; late ! id, seq + 1, b; maybe = true
		fi;
		assert(id < IDS) }
	/* turn_away: this sending did nothing, and no seq is used */
	:: atomic { b < BATCHES && (!maybe || !RULE(TURN_AWAY)) && FAULT;
		answer[b] = UNAVAILABLE;
		assert(pushed[b] == 0);
		b++; maybe = false }
	/* give_up */
	:: atomic { b < BATCHES && FAULT;
		answer[b] = (maybe && RULE(MAYBE_UNKNOWN) ->
		    UNKNOWN : UNAVAILABLE);
		assert(answer[b] != UNAVAILABLE || pushed[b] == 0);
		if
		:: maybe && RULE(NEW_ID) -> new_id()
		:: else
		fi;
		b++; maybe = false }
	:: b == BATCHES -> break
	od;
	b = 0;
	do
	:: b < BATCHES -> assert(answer[b] != TAKEN || pushed[b] == 1); b++
	:: else -> break
	od
}
