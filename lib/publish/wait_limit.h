/*
 * How long a line waits for Redis: --wait, from its arrival, or in an outage
 * from the first try that failed, so that lines have their answers in time
 * however many wait.  Pure; times are clock_ms() values.
 */
#ifndef INCR_WAIT_LIMIT_H
#define INCR_WAIT_LIMIT_H

#include <stdint.h>

enum wait_limit_how {
	WAIT_LIMIT_OWN,     /* the oldest line is being tried, can be, or may be
			     * in Redis: each for itself */
	WAIT_LIMIT_REFUSED, /* Redis is there, and refuses: the same, but not
			     * at all for a line that came when --wait had run
			     * out, as it has been tried */
	WAIT_LIMIT_OUT /* there is no connection: all until it has run out */
};

/* All zero but wait_ms: all is well. */
struct wait_limit {
	int64_t wait_ms;   /* --wait; 0: for ever */
	int64_t call_ms;   /* when the last try began */
	int64_t outage_ms; /* when the first one that failed did; 0: none */
};

/* A try begins. */
void wait_limit_try(struct wait_limit *w, int64_t now_ms);

/* It failed, which begins an outage unless there is one.  at_ms: when it
 * began, if it was no call. */
void wait_limit_fail(struct wait_limit *w);
void wait_limit_down(struct wait_limit *w, int64_t at_ms);

/* The outage is over. */
void wait_limit_end(struct wait_limit *w);

/* When lines that are read now arrived: now, or in an outage, in which they may
 * have waited to be read, when the input was last found empty (empty_ms), but
 * not before the outage. */
int64_t wait_limit_arrival(
    const struct wait_limit *w, int64_t empty_ms, int64_t now_ms);

/* Lines that arrived until then have waited for long enough.  oldest_ms: when
 * the first of them did.  INT64_MIN: none have. */
int64_t wait_limit_ms(const struct wait_limit *w, enum wait_limit_how how,
    int64_t oldest_ms, int64_t now_ms);

/* When the line that arrived at oldest_ms will have; INT64_MAX: never. */
int64_t wait_limit_due(
    const struct wait_limit *w, enum wait_limit_how how, int64_t oldest_ms);

#endif
