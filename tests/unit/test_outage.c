/* Trouble: said once, when it has lasted and its reason is known; too long
 * after the wait; over, and said anew the next time. */
#include "base/io.h"
#include "base/outage.h"
#include "check.h"

enum { T = 1000, WAIT = 5000 };

static void
said_once(void)
{
	struct outage o = {.since_ms = T};

	check(outage_due(&o, WAIT) == T + WAIT, "no reason: only the end");
	check(outage_step(&o, WAIT, T + OUTAGE_SAY_MS) == OUTAGE_QUIET,
	    "no reason");
	o.explained = true;
	check(outage_due(&o, WAIT) == T + OUTAGE_SAY_MS, "due");
	check(outage_step(&o, WAIT, T + OUTAGE_SAY_MS - 1) == OUTAGE_QUIET,
	    "too early");
	check(outage_step(&o, WAIT, T + OUTAGE_SAY_MS) == OUTAGE_SAY, "say");
	check(outage_step(&o, WAIT, T + WAIT - 1) == OUTAGE_QUIET, "once");
	check(outage_due(&o, WAIT) == T + WAIT, "the end");
	check(outage_step(&o, WAIT, T + WAIT) == OUTAGE_GIVE_UP, "give up");
}

static void
over(void)
{
	struct outage o = {.since_ms = T, .explained = true};

	check(outage_step(&o, IO_FOREVER, INT64_MAX - 1) == OUTAGE_SAY, "say");
	check(outage_due(&o, IO_FOREVER) == IO_FOREVER, "for ever");
	check(outage_step(&o, IO_FOREVER, INT64_MAX - 1) == OUTAGE_QUIET,
	    "for ever");
	o.since_ms = 0;
	check(outage_due(&o, WAIT) == IO_FOREVER, "none");
	check(outage_step(&o, WAIT, INT64_MAX - 1) == OUTAGE_QUIET, "none");
	o.since_ms = 2 * T;
	check(outage_step(&o, WAIT, 2 * T + OUTAGE_SAY_MS) == OUTAGE_SAY,
	    "the next one");
}

int
main(void)
{
	said_once();
	over();
	return check_end();
}
