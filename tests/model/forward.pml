/*
 * incr-rejected republish sends dead letters to the shard of their key, on
 * another server: withdraw.lua labels a letter, publish.lua publishes it with
 * the label's id as its tag, withdraw.lua removes it (lib/inspect/forwarder.c).
 *
 * Two letters that are alike, two operators, and at most so many faults of any
 * kind: an operator is killed at any step; a call is done at any time after its
 * caller repeated it, or was killed; time passes; somebody notes another number
 * of shards.  The clock of the letters' server is AHEAD days before that of the
 * shards, which is the time here.
 *
 * What is checked: at no time are there more increments than letters, and where
 * nothing can happen any more each letter is published and gone, or is still
 * there with a label that nobody can judge any more, or not yet.
 *
 * Run by tests/model/check, as drain.pml.
 */
#define LABEL		1	/* the label is in the list before its tag is used */
#define OWN_ID		2	/* each label has an id of its own */
#define AS_SEEN		3	/* it is put on what was seen there */
#define ONCE		4	/* by one sending of a call */
#define TAG		5	/* the letter is published with the tag */
#define PUBLISHED	6	/* it is removed behind the answer */
#define REMOVE_SEEN	7	/* if it is the one that was seen there */
#define NOT_AFTER	8	/* nothing is published later than WINDOW */
#define MARK_LIFE	9	/* a mark lives a day longer than that */
#define SAME_SHARD	10	/* and only where its marks are */
#define NOT_AHEAD	11	/* nor what was labelled more than a day ahead */

#define LETTERS	2
#define IDS	10
#define WINDOW	1
#define DAY	1

c_decl {
static long
number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtol(text, NULL, 10);
}
}

mtype = { LABELS, PUBLISHES, REMOVES };

hidden byte broken;
hidden byte ahead;
#define RULE(r)	(broken != r)
#define FAULT	faults > 0 -> faults--

byte faults;
byte time;
byte shard;			/* of the key, by the number that is noted */
byte list[LETTERS];		/* ids of labels; 0: none */
byte n = LETTERS;
byte ids;
bool labelled[IDS];		/* that call was done */
byte at[IDS];			/* the time then, by the letters' clock */
byte to[IDS];			/* the shard that it names */
byte mark[2 * IDS];		/* of the tag in a shard: time plus 1 */
byte pushed;
chan late = [2] of { mtype, byte, byte };

#define LIVES(m) \
	(m > 0 && time + 1 <= m + WINDOW + DAY * (RULE(MARK_LIFE)))
#define TOO_NEW(i)	(at[i] > time + DAY && RULE(NOT_AHEAD))
#define IN_TIME(i)	(time <= at[i] + WINDOW || !RULE(NOT_AFTER))
/* Nobody publishes it any more. */
#define IN_DOUBT(i) \
	(i > 0 && (!(IN_TIME(i)) || TOO_NEW(i) || \
	(to[i] != shard && RULE(SAME_SHARD))))

inline label(k, i) {
	if
	:: labelled[i] && RULE(ONCE)
	:: else ->
		labelled[i] = true;
		if
		:: k < n && (list[k] == 0 || !RULE(AS_SEEN)) ->
			list[k] = i;
			at[i] = time + ahead
		:: else
		fi
	fi
}

inline publish(s, i) {
	if
	:: !IN_TIME(i) -> says = false
	:: else ->
		says = true;
		if
		:: LIVES(mark[s * IDS + i]) && RULE(TAG)
		:: else ->
			pushed++;
			assert(pushed <= LETTERS);
			mark[s * IDS + i] = time + 1
		fi
	fi
}

inline remove(k, i) {
	if
	:: k < n && (list[k] == i || !RULE(REMOVE_SEEN)) ->
		n--;
		if
		:: k < n -> list[k] = list[k + 1]
		:: else
		fi;
		list[n] = 0
	:: else
	fi
}

/* A call: its reply comes; or the call is late, and repeated, or its caller
 * killed. */
#define CALL(kind, k, i, act) \
	if \
	:: act \
	:: FAULT; late!kind(k, i); act \
	:: FAULT; late!kind(k, i); killed = true \
	fi

inline look(p) {
	if
	:: n > p && !(IN_DOUBT(list[p])) -> k = p
	fi
}

proctype operator()
{
	byte k, i, s;
	bool says, killed;

end:	do
	:: atomic {
		if
		:: look(0)
		:: look(1)
		fi;
		i = list[k];
		s = shard;
		killed = false }
		if
		:: atomic { i == 0 && ids < IDS - 1 ->
			if
			:: RULE(OWN_ID) || ids == 0 -> ids++
			:: else -> labelled[ids] = false
			fi;
			i = ids;
			to[i] = s;
			if
			:: RULE(LABEL)
			:: else -> at[i] = time + ahead; i = 0
			fi }
			if
			:: atomic { i > 0 -> CALL(LABELS, k, i, label(k, i)) }
			/* Published with the tag, and removed, at once. */
			:: atomic { i == 0 -> publish(s, ids) }
				if
				:: atomic { says -> remove(k, 0) }
				:: atomic { FAULT }
				fi
			fi
		:: atomic { i > 0 && !RULE(PUBLISHED) -> remove(k, i) }
			if
			:: atomic { publish(s, i) }
			:: atomic { FAULT }
			fi
		:: atomic { i > 0 && RULE(PUBLISHED) ->
			says = false;
			CALL(PUBLISHES, s, i, publish(s, i)) }
			if
			:: atomic { says && !killed ->
				CALL(REMOVES, k, i, remove(k, i)) }
			:: !says || killed
			:: atomic { FAULT }
			fi
		fi;
		atomic { k = 0; i = 0; s = 0; says = false; killed = false }
	od
}

/* What the network kept, the clock, and who notes a number of shards. */
active proctype world()
{
	byte k, i;
	bool says;

end:	do
	:: atomic { late?LABELS(k, i) -> label(k, i); k = 0; i = 0 }
	:: atomic { late?PUBLISHES(k, i) ->
		publish(k, i); k = 0; i = 0; says = false }
	:: atomic { late?REMOVES(k, i) -> remove(k, i); k = 0; i = 0 }
	:: atomic { FAULT;
		if
		:: time++
		:: time = time + WINDOW + DAY
		:: time = time + WINDOW + DAY + 1
		fi }
	:: atomic { shard == 0 && FAULT; shard = 1 }
	od
}

active proctype monitor()
{
	timeout -> assert(pushed <= LETTERS && pushed + n >= LETTERS);
	assert(n == 0 || IN_DOUBT(list[0]));
	assert(n < 2 || IN_DOUBT(list[1]))
}

init {
	atomic {
		c_code {
			now.faults = (unsigned char)number("FAULTS", 3);
			broken = (unsigned char)number("BROKEN", 0);
			ahead = (unsigned char)number("AHEAD", 0);
		}
		run operator();
		run operator()
	}
}
