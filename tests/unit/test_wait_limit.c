/* How long lines wait for Redis: each for itself, or all in an outage. */
#include "check.h"
#include "publish/wait_limit.h"

enum { T = 1000000, WAIT = 5000 };

/* It begins with the first try that failed, and ends with an answer. */
static void
check_outage(void)
{
	struct wait_limit w = {.wait_ms = WAIT};

	wait_limit_try(&w, T);
	check(w.outage_ms == 0, "a try is none");
	wait_limit_fail(&w);
	check(w.outage_ms == T, "from when the try began");
	wait_limit_try(&w, T + 1000);
	wait_limit_fail(&w);
	wait_limit_down(&w, T + 2000);
	check(w.outage_ms == T, "from the first one");
	wait_limit_end(&w);
	check(w.outage_ms == 0, "over");
	wait_limit_down(&w, T + 3000);
	check(w.outage_ms == T + 3000, "without a call");
}

static void
check_limits(void)
{
	static const struct {
		const char *name;
		enum wait_limit_how how;
		int64_t outage, oldest, due;
		int64_t now, limit;
	} rows[] = {
	    {"all well", WAIT_LIMIT_OUT, 0, T, T + WAIT, T + WAIT, T},
	    {"being tried", WAIT_LIMIT_OWN, T, T + 100, T + 100 + WAIT,
		T + WAIT, T},
	    {"away", WAIT_LIMIT_OUT, T, T + 4000, T + WAIT, T + WAIT - 1,
		T - 1},
	    {"away for --wait", WAIT_LIMIT_OUT, T, T + 4000, T + WAIT, T + WAIT,
		T + WAIT},
	    {"came later", WAIT_LIMIT_OUT, T, T + 9000, T + WAIT, T + 9000,
		T + 9000},
	    {"came before", WAIT_LIMIT_OUT, T, T - 10, T - 10 + WAIT,
		T - 10 + WAIT, T - 10},
	    {"refused", WAIT_LIMIT_REFUSED, T, T + 4000, T + 4000 + WAIT,
		T + 6000, T + 6000 - WAIT},
	    {"refused, came later", WAIT_LIMIT_REFUSED, T, T + WAIT, T + WAIT,
		T + 6000, T + 6000},
	};

	for (size_t i = 0; i < check_n(rows); i++) {
		struct wait_limit w = {
		    .wait_ms = WAIT, .outage_ms = rows[i].outage};

		check(wait_limit_due(&w, rows[i].how, rows[i].oldest) ==
			  rows[i].due,
		    "%s: due", rows[i].name);
		check(wait_limit_ms(&w, rows[i].how, rows[i].oldest,
			  rows[i].now) == rows[i].limit,
		    "%s: limit", rows[i].name);
		w.wait_ms = 0;
		check(wait_limit_ms(&w, rows[i].how, rows[i].oldest,
			  rows[i].now) == INT64_MIN,
		    "%s: for ever", rows[i].name);
		check(wait_limit_due(&w, rows[i].how, rows[i].oldest) ==
			  INT64_MAX,
		    "%s: never", rows[i].name);
	}
}

/* Whatever is due is over then: nobody waits in vain. */
static void
check_due(void)
{
	for (int how = WAIT_LIMIT_OWN; how <= WAIT_LIMIT_OUT; how++)
		for (int64_t oldest = T - WAIT; oldest < T + 3 * WAIT;
		     oldest += 250) {
			struct wait_limit w = {.wait_ms = WAIT, .outage_ms = T};
			enum wait_limit_how h = (enum wait_limit_how)how;
			int64_t due = wait_limit_due(&w, h, oldest);
			int64_t now = due > oldest ? due : oldest;

			check(wait_limit_ms(&w, h, oldest, now) >= oldest,
			    "%d: due", how);
			check(due <= oldest + WAIT, "%d: no longer", how);
		}
	check(wait_limit_due(&(struct wait_limit){.wait_ms = WAIT},
		  WAIT_LIMIT_OUT, INT64_MAX) == INT64_MAX,
	    "no line");
}

/* What could not be read in an outage has waited all the same. */
static void
check_arrival(void)
{
	struct wait_limit well = {.wait_ms = WAIT};
	struct wait_limit out = {.wait_ms = WAIT, .outage_ms = T};

	check(wait_limit_arrival(&well, T - 900, T + 800) == T + 800, "well");
	check(wait_limit_arrival(&out, T - 900, T + 800) == T, "before");
	check(wait_limit_arrival(&out, T + 700, T + 800) == T + 700, "since");
}

int
main(void)
{
	check_outage();
	check_limits();
	check_due();
	check_arrival();
	return check_end();
}
