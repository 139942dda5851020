/*
 * What is said of the promise of ten seconds: once that it is not kept, or at
 * risk, until it is again.  Pure, but for the clock.
 */
#ifndef INCR_PROMISE_H
#define INCR_PROMISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "flush/flusher.h"

/* All zero: nothing was said. */
struct promise {
	uint64_t commits; /* at the last look */
	bool late, at_risk;
};

/* The clock_ms() at which promise_news will have something that no event
 * brings. */
int64_t promise_due(const struct promise *p, const struct flusher *f);

/* True with the text of a message; to be called until it is false. */
bool promise_news(
    struct promise *p, const struct flusher *f, char ret_text[REASON_MAX]);

#endif
