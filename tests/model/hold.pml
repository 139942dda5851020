/*
 * The hold of an adopter (lib/consume/adopted.c): it renews the ownership of a
 * consumer whose batches it has read, until they are acknowledged.  An owner
 * key runs out if nobody renews it in time; an adoption that comes late makes
 * its caller the owner once more.
 *
 * One consumer that may stand still at any time and for as long as it likes,
 * one adopter, two batches, and at most so many faults of any kind:
 *
 *	PAUSE	an owner key runs out although its owner lives
 *	LATE	an adoption is done at any time after its caller went on
 *
 * What is checked, where nothing can happen any more: no batch is left
 * unacknowledged, so none is held that its holder does not know.
 *
 * Run by tests/model/check, as drain.pml.
 */
#define HOLD	1	/* who may have lost a consumer meanwhile lets it go */

#define NOBODY	0
#define ITSELF	1
#define ADOPTER	2
#define BATCHES	2

c_decl {
static long
number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtol(text, NULL, 10);
}
}

byte owner = ITSELF;
byte batches;			/* unacknowledged, a bit each */
byte delivered;			/* the same, to an incr-flush */
bool stands;			/* the consumer, for ever */
byte faults;
hidden byte broken;
#define RULE(r)	(broken != r)

/* The adopter. */
bool holds;
byte unread;			/* batches, a bit each */
bool lapsed;			/* the key may have run out since it was renewed */
byte late;			/* adoptions under way that nobody waits for */

/* A key that runs out: the time since the last renewal says that it may. */
inline run_out() {
	owner = NOBODY;
	lapsed = holds
}

/* adopt.lua: as it was seen, without an owner. */
#define ADOPTABLE	(owner == NOBODY && batches != 0)

active proctype consumer()
{
	byte last = 0;

end:	do
	/* renew.lua: a missing owner is made again by the consumer itself */
	:: atomic { !stands && owner == NOBODY -> owner = ITSELF }
	/* take.lua */
	:: atomic { !stands && owner == ITSELF && last < BATCHES ->
		batches = batches | 1 << last;
		last++ }
	:: atomic { !stands && owner == ITSELF && faults > 0 ->
		faults--;
		owner = NOBODY }
	/* It stands, and so does its incr-flush. */
	:: atomic { !stands && last == BATCHES -> stands = true }
	:: atomic { stands && owner == ITSELF -> owner = NOBODY }
	od
}

active proctype adopter()
{
end:	do
	:: atomic { !holds && ADOPTABLE ->
		if
		:: owner = ADOPTER;
		   holds = true;
		   unread = batches;
		   lapsed = false
		:: faults > 0 -> faults--; late++
		fi }
	:: atomic { holds && unread != 0 ->
		delivered = delivered | (unread & 1 -> 1 : 2);
		unread = unread & ~(unread & 1 -> 1 : 2) }
	/* finish_renew(): not its owner, or nothing is left */
	:: atomic { holds && (owner != ADOPTER || batches == 0) ->
		holds = false }
	/* adopted_renew() */
	:: atomic { holds && owner == ADOPTER && lapsed && RULE(HOLD) ->
		holds = false }
	:: atomic { holds && owner == ADOPTER && faults > 0 ->
		faults--;
		run_out() }
	/* It is not renewed. */
	:: atomic { !holds && owner == ADOPTER -> owner = NOBODY }
	od
}

/* What the network kept. */
active proctype network()
{
end:	do
	:: atomic { late > 0 ->
		late--;
		if
		:: ADOPTABLE -> owner = ADOPTER
		:: else
		fi }
	od
}

/* The adopter's incr-flush: counts, and acknowledges. */
active proctype flush()
{
end:	do
	:: atomic { batches & delivered ->
		batches = batches & ~delivered }
	od
}

active proctype monitor()
{
	timeout -> assert(batches == 0)
}

init {
	atomic {
		c_code {
			now.faults = (unsigned char)number("FAULTS", 4);
			broken = (unsigned char)number("BROKEN", 0);
		}
	}
}
