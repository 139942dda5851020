/*
 * From a line to the ready list: publish.lua and lib/courier.c, with two
 * batches and FAULTS faults: answers lost, calls done late, waits that end,
 * records that run out, after a day or by a clock that was set, a Redis
 * without room.  A process that is killed is one that gives up and
 * answers nothing.  Checked: no batch is pushed twice, one that was answered
 * 202 is there, one that was answered 503 never is.  BROKEN leaves out a
 * rule, as in drain.pml.
 */
#define BATCHES	2
#define IDS	6
#define SEQ_NEXT	1
#define NEW_ID		2
#define AGAIN		3
#define MAYBE_UNKNOWN	4
#define TURN_AWAY	5

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
byte last[IDS];			/* publisher::ID; 0: no key */
byte pushed[BATCHES];
mtype answer[BATCHES];
bool maybe;			/* FLIGHT_MAYBE: it was sent, whole */
chan late = [4] of { byte, byte, byte, bool };

/* publish.lua: seq > last + 1 is a gap, and so is what was sent before when
 * there is no record of the publisher; seq <= last was done before */
inline publish(id, nr, batch, again) {
	gap = nr > last[id] + 1 || again && last[id] == 0 && RULE(AGAIN);
	if
	:: !gap && (nr == last[id] + 1 || !RULE(SEQ_NEXT)) ->
		last[id] = nr;
		pushed[batch]++;
		assert(pushed[batch] == 1);
		assert(answer[batch] != UNAVAILABLE)
	:: else
	fi
}

active proctype network()
{
	byte i, n, b;
	bool gap, a;

end:	do
	:: atomic { late ?? i, n, b, a -> publish(i, n, b, a);
		i = 0; n = 0; b = 0; a = false }
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

active proctype courier()
{
	byte id, seq, b;
	bool gap;

	atomic { c_code {
		now.faults = (uchar)number("FAULTS", 1);
		broken = (uchar)number("BROKEN", 0);
	} };
	do
	:: atomic { b < BATCHES ->
		if
		:: publish(id, seq + 1, b, maybe);	/* replied */
		   if
		   :: !gap -> answer[b] = TAKEN; seq++; b++; maybe = false
		   :: gap && maybe -> answer[b] = UNKNOWN; id++; seq = 0;
			b++; maybe = false
		   :: gap && !maybe -> id++; seq = 0
		   fi
		:: FAULT; publish(id, seq + 1, b, maybe); /* QUEUE_LOST, sent */
		   maybe = true
		:: FAULT; late ! id, seq + 1, b, maybe; maybe = true
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
		:: maybe && RULE(NEW_ID) -> id++; seq = 0
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
