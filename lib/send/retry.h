/*
 * When to try a service again (layer 1): pure, no clock of its own.
 *
 * An outage lasts from the first thing a service did not take to the next
 * that it answered.  It is waited out for a while; after that only a try
 * now and then finds out whether it is over.
 */
#ifndef INCR_RETRY_H
#define INCR_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"

/* All zero but wait_ms: no outage. */
struct retry {
	int64_t wait_ms; /* how long one is waited out */
	bool on;
	int64_t end_ms;    /* clock_ms() until which it is waited out */
	int64_t resume_ms; /* nothing is tried before */
	struct backoff backoff;
};

/* Something was not taken; the service asks for retry_after_ms (or 0) and
 * is left alone for that long or by back-off, at most wait_ms.  True if it
 * may be tried again later, false if that was waited out. */
bool retry_failed(struct retry *o, int64_t now_ms, int64_t retry_after_ms);

/* The service answered. */
void retry_over(struct retry *o);

/* May something be tried now? */
bool retry_try(const struct retry *o, int64_t now_ms);

/* Waited out, and not the moment for a try: what waits need not wait. */
bool retry_hopeless(const struct retry *o, int64_t now_ms);

/* When one of the last two may change: INT64_MAX, or after now_ms. */
int64_t retry_due(const struct retry *o, int64_t now_ms);

#endif
