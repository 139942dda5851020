/*
 * When trouble with a service is said, and when it ends the program: said
 * once, after it has lasted OUTAGE_SAY_MS; over after --wait.  Pure.
 */
#ifndef INCR_OUTAGE_H
#define INCR_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

enum { OUTAGE_SAY_MS = 500 };

enum outage_action {
	OUTAGE_QUIET,  /* nothing to do now */
	OUTAGE_SAY,    /* the reason, once */
	OUTAGE_GIVE_UP /* the reason; wait_ms is over */
};

/* One per service; all zero but since_ms is set by whoever knows. */
struct outage {
	int64_t since_ms; /* clock_ms() of the first try that failed; 0: the
			   * service is there */
	bool explained;   /* the reason is known */
	bool said;
};

/* What to do at now_ms; wait_ms is IO_FOREVER or what --wait says. */
enum outage_action outage_step(
    struct outage *o, int64_t wait_ms, int64_t now_ms);

/* When outage_step has something to do; IO_FOREVER: not by itself. */
int64_t outage_due(const struct outage *o, int64_t wait_ms);

#endif
