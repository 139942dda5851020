/*
 * The last ten minutes of one figure, second by second: of a counter how much
 * it grew, of a gauge the highest it was.  Pure; times are seconds of any
 * clock that does not step.
 *
 * incr-flush adds to its counter once per statement: what came at one moment
 * came in since the last such moment, and is spread over that time, ten seconds
 * at most.
 */
#ifndef INCR_TIMELINE_H
#define INCR_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIMELINE_S = 600, TIMELINE_SPREAD_S = 10, TIMELINE_STEPS = 64 };

struct timeline {
	double bins[TIMELINE_S]; /* second s is bins[s % TIMELINE_S] */
	int64_t first, last;     /* seconds that are in it */
	/* When a counter last grew, and to how much since the beginning, which
	 * is the first step. */
	struct timeline_step {
		double at, total;
	} steps[TIMELINE_STEPS];
	uint64_t n_steps; /* the last is steps[(n_steps - 1) % ...] */
};

/* Nothing is known before `now`. */
void timeline_begin(struct timeline *t, double now);

/* A counter has grown by so much; 0 is a reading, too. */
void timeline_grow(struct timeline *t, double now, double increase);

/* A gauge was so high. */
void timeline_reach(struct timeline *t, double now, double value);

/* Until when what has grown is known: a counter that grows every nine seconds
 * is not at rest in between. */
double timeline_known(const struct timeline *t, double now);

/* How fast a counter grows, per second: over the last five seconds, or from its
 * last step but one to its last, if that is longer. */
double timeline_rate(const struct timeline *t, double now);

/*
 * The last n columns of `column_s` seconds each: means of a counter, the
 * highest of a gauge (`highest`).  The columns stand at fixed times.  -1 where
 * nothing is known.
 */
void timeline_columns(const struct timeline *t, double now, int column_s,
    bool highest, double *ret, size_t n);

#endif
