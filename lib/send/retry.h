/*
 * When to send to a service again.  Pure, no clock of its own.
 *
 * An outage lasts from the first request that a service did not take to the
 * next that it answered.  It is waited out for wait_ms; after that only a try
 * now and then finds out whether it is over.
 */
#ifndef INCR_RETRY_H
#define INCR_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"

/* All zero but wait_ms: no outage.  Times are clock_ms() values. */
struct retry {
	int64_t wait_ms; /* for how long an outage is waited out */
	bool outage;
	int64_t end_ms;    /* until when this one is waited out */
	int64_t resume_ms; /* nothing is tried before */
	struct backoff backoff;
};

/*
 * A request was not taken; the service asks for retry_after_ms (0: for
 * nothing) and is left alone for that long or by back-off, at most wait_ms.
 * True if the request may be sent again later, false if the outage was waited
 * out.
 */
bool retry_failed(struct retry *r, int64_t now_ms, int64_t retry_after_ms);

/* The service answered: the outage is over. */
void retry_over(struct retry *r);

/* May a request be sent now? */
bool retry_try(const struct retry *r, int64_t now_ms);

/* Is the outage waited out, and now not the time for a try?  Then there is
 * nothing that lines would wait for. */
bool retry_hopeless(const struct retry *r, int64_t now_ms);

/* When one of the last two may change: after now_ms, or INT64_MAX. */
int64_t retry_due(const struct retry *r, int64_t now_ms);

#endif
