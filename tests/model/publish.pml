/*
 * From a line to the ready list: publish.lua and lib/courier.c, with two
 * batches and FAULTS faults: answers lost, calls done late, waits that end,
 * a day that passes.  A process that is killed is one that gives up and
 * answers nothing.  Checked: no batch is pushed twice, one that was answered
 * 202 is there, one that was answered 503 never is.  BROKEN leaves out a
 * rule, as in drain.pml.
 */
#define BATCHES	2
#define IDS	6
#define SEQ_NEXT	1
#define NEW_ID		2
#define HALF_A_DAY	3
#define MAYBE_UNKNOWN	4

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
bool maybe, aged;		/* FLIGHT_MAYBE; sent half a day ago */
chan late = [4] of { byte, byte, byte };

/* publish.lua: seq > last + 1 is a gap, seq <= last was done before */
inline publish(id, nr, batch) {
	gap = false;
	if
	:: nr > last[id] + 1 -> gap = true
	:: nr == last[id] + 1 || nr <= last[id] && !RULE(SEQ_NEXT) ->
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
	bool gap;

end:	do
	:: atomic { late ?? i, n, b -> publish(i, n, b); i = 0; n = 0; b = 0 }
	od
}

/* Keys live a day; nothing stays in the network for that long. */
active proctype clock()
{
	byte i;

end:	atomic { empty(late) && FAULT;
		do
		:: i < IDS -> last[i] = 0; i++
		:: else -> break
		od;
		aged = maybe }
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
	:: atomic { b < BATCHES && !(aged && RULE(HALF_A_DAY)) ->
		if
		:: publish(id, seq + 1, b);	/* replied */
		   if
		   :: !gap -> answer[b] = TAKEN; seq++; b++; maybe = false
		   :: gap && maybe -> answer[b] = UNKNOWN; id++; seq = 0;
			b++; maybe = false
		   :: gap && !maybe -> id++; seq = 0
		   fi
		:: FAULT; publish(id, seq + 1, b); /* QUEUE_LOST, sent */
		   maybe = true
		:: FAULT; late ! id, seq + 1, b; maybe = true
		fi;
		aged = false; assert(id < IDS) }
	/* give_up */
	:: atomic { b < BATCHES && FAULT;
		answer[b] = (maybe && RULE(MAYBE_UNKNOWN) ->
		    UNKNOWN : UNAVAILABLE);
		assert(answer[b] != UNAVAILABLE || pushed[b] == 0);
		if
		:: maybe && RULE(NEW_ID) -> id++; seq = 0
		:: else
		fi;
		b++; maybe = false; aged = false }
	:: atomic { b < BATCHES && aged && RULE(HALF_A_DAY) ->
		answer[b] = UNKNOWN;
		id++; seq = 0; b++; maybe = false; aged = false }
	:: b == BATCHES -> break
	od;
	b = 0;
	do
	:: b < BATCHES -> assert(answer[b] != TAKEN || pushed[b] == 1); b++
	:: else -> break
	od
}
