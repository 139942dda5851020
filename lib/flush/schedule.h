/*
 * When the window that fills must close: after the interval, in time for
 * the promise of ten seconds, when it is full, and not when the windows of
 * other processes do.  Pure.
 *
 * What a statement costs is learnt in cost_model.h, which knows no window.
 */
#ifndef INCR_SCHEDULE_H
#define INCR_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flush/cost_model.h"
#include "flush/window.h"

enum {
	SCHEDULE_PROMISE_MS = 10000, /* from published to visible, at most */
	/* The part of it for a kill -9, when another machine takes over: a
	 * mark expires (QUEUE_OWNER_MS), two looks 0.5 s; the take before,
	 * reading and SCHEDULE_LINGER_MS 0.5 s. */
	SCHEDULE_RECOVERY_MS = 2000,
	/* One that is lost with its process, one of who takes over. */
	SCHEDULE_STATEMENTS = 2,
	/* What the keys of a window may cost: a third statement fits, that of
	 * the window before. */
	SCHEDULE_STATEMENT_MS = 2800,
	/* Adopted ranges wait for others: two looks may find those of one
	 * machine. */
	SCHEDULE_LINGER_MS = 400
};

/* Options of incr-flush. */
#define INTERVAL_OPTION(dest_) \
	{ \
		.letter = 'i', .name = "interval", .arg = "SECONDS", \
		.def = "9", .help = "one statement at least that often", \
		.kind = OPTIONS_SECONDS, .dest = (dest_), .min = 100, \
		.max = 20000 \
	}
#define MAX_KEYS_OPTION(dest_) \
	{ \
		.letter = 'm', .name = "max-keys", .arg = "N", \
		.def = "1000000", .help = "hold at most about N keys", \
		.kind = OPTIONS_NUMBER, .dest = (dest_), .min = 1, \
		.max = 10000000 \
	}

struct schedule {
	int64_t interval_ms;
	uint64_t max_keys; /* keys and bad lines of a window */
	bool promises;     /* schedule_promise was called and has effect */
	bool phased;       /* the first window was opened */
	int64_t jitter_ms; /* of the window that fills */
};

/* The age of the input is known: from now on SCHEDULE_PROMISE_MS are
 * promised, unless the interval is longer. */
void schedule_promise(struct schedule *s);

/* A window was opened.  noise is a random number: flushes that were started
 * together close their first windows apart, and drift apart. */
void schedule_open(struct schedule *s, uint64_t noise);

/* Did the last two statements, whatever their keys, take more than
 * SCHEDULE_STATEMENT_MS?  Then the promise does not outlast a kill. */
bool schedule_at_risk(const struct schedule *s, const struct cost_model *cost);

/* As many keys as fit SCHEDULE_STATEMENT_MS; if nothing is promised, as many as
 * any statement may have. */
size_t schedule_keys(const struct schedule *s, const struct cost_model *cost);

/* Has w max_keys, or as many keys as a statement may have? */
bool schedule_full(const struct schedule *s, const struct window *w,
    const struct cost_model *cost);

/* The clock_ms() at which w (open) must close, 0 if it is full.  May be in
 * the past. */
int64_t schedule_due(const struct schedule *s, const struct window *w,
    const struct cost_model *cost);

#endif
