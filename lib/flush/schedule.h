/*
 * When the window that fills must close (layer 2): its own interval, the
 * promise, what its statement will take, and not when all others do.  Pure.
 */
#ifndef INCR_SCHEDULE_H
#define INCR_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flush/cost_model.h"
#include "flush/window.h"

enum {
	/* One statement must not keep those behind it from being in time. */
	SCHEDULE_STATEMENT_MS = (WINDOW_PROMISE_MS - WINDOW_RECOVERY_MS) / 2
};

struct schedule {
	int64_t interval_ms;
	uint64_t max_keys;
	bool promises;     /* ten seconds: schedule_promise */
	int64_t jitter_ms; /* of the window that fills */
	bool phased;       /* the first one was opened */
};

/* From now on WINDOW_PROMISE_MS are promised, if the interval allows it:
 * the age of what comes in is known. */
void schedule_promise(struct schedule *s);

/* w was opened.  noise: any number, another one in each process; several
 * flushes that were started together begin apart and drift apart. */
void schedule_open(struct schedule *s, const struct window *w, uint64_t noise);

/* Is w as large as it should be? */
bool schedule_full(const struct schedule *s, const struct window *w,
    const struct cost_model *cost);

/* The clock_ms() at which w (open) must close; in the past if it is full. */
int64_t schedule_due(const struct schedule *s, const struct window *w,
    const struct cost_model *cost);

#endif
