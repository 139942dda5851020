/*
 * Delays between tries: exponential, with jitter.
 */
#ifndef INCR_BACKOFF_H
#define INCR_BACKOFF_H

#include <stdint.h>

/* All zero: the default bounds, no failure yet. */
struct backoff {
	int64_t min_ms, max_ms; /* 0: 50 and 1,000 */
	int64_t last_ms;
};

/* The delay before the next try, in milliseconds: it doubles with every
 * call up to the maximum, less a random part of at most a quarter. */
int64_t backoff_next(struct backoff *b);

/* A success: the next delay is the shortest again. */
void backoff_reset(struct backoff *b);

#endif
